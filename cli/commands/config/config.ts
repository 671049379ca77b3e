import { resolve } from 'node:path';

import type { Context } from '../../context.ts';
import { done, failUsage, type CommandOutcome } from '../../outcome.ts';
import { createListPrinter, printObject, type Column } from '../../output/print.ts';
import { toPlainLine } from '../../output/plain.ts';
import { changeSetting } from '../../config/profiles.ts';
import {
  findSettingProblem,
  isSettingKey,
  normaliseSetting,
  settingKeys,
  type SettingKey,
} from '../../config/settings.ts';

export type ConfigListOptions = { readonly showOrigin?: boolean };
export type ConfigSetOptions = { readonly unset?: boolean };

type Row = { readonly key: string; readonly text: string | undefined; readonly origin: string };

/** `wallet config list` */
export async function runConfigList(
  context: Context,
  options: ConfigListOptions,
): Promise<CommandOutcome> {
  const showOrigin = options.showOrigin === true;
  const list = createListPrinter(context, columns(showOrigin), (row) => toJson(row, showOrigin));
  await list.add([
    { key: 'profile', text: context.profile, origin: context.profileOrigin },
    ...settingKeys.map((key) => ({ key, ...context.settingValues[key] })),
  ]);
  await list.end(undefined, '');
  return done;
}

/** `wallet config get KEY`: the value alone, to be used in a script. */
export async function runConfigGet(
  context: Context,
  key: string,
  options: ConfigListOptions,
): Promise<CommandOutcome> {
  if (!isSettingKey(key)) return failUnknownKey(key);
  const showOrigin = options.showOrigin === true;
  const row: Row = { key, ...context.settingValues[key] };
  if (context.manner.output === 'table' && !showOrigin) {
    if (row.text !== undefined) await writeValue(context, row.text);
    return done;
  }
  await printObject(context, row, columns(showOrigin), (value) => toJson(value, showOrigin));
  return done;
}

/** A pipe gets the text as it is. */
function writeValue({ io: { stdout } }: Context, text: string): Promise<void> {
  return stdout.write(`${stdout.isTerminal ? toPlainLine(text) : text}\n`);
}

/** `wallet config set KEY VALUE`, in the profile in use; `--unset` removes it from there. */
export async function runConfigSet(
  context: Context,
  key: string,
  value: string | undefined,
  options: ConfigSetOptions,
): Promise<CommandOutcome> {
  if (!isSettingKey(key)) return failUnknownKey(key);
  if ((value === undefined) !== (options.unset === true)) {
    return failUsage('value', 'give either a value or --unset');
  }
  const problem = value === undefined ? undefined : findSettingProblem(key, value);
  if (problem !== undefined) return failUsage(key, `${JSON.stringify(value)} ${problem}`);
  const { configDir } = context.environment.paths;
  // A relative path would mean another file in every folder.
  const isPath = key === 'tls-ca' || key === 'tls-cert' || key === 'tls-key';
  const absolute = isPath && value !== undefined ? resolve(value) : value;
  const text = absolute === undefined ? undefined : normaliseSetting(key, absolute);
  const changed = await changeSetting(configDir, context.profile, key, text);
  if (!changed.ok) return changed;
  await warnIfBeaten(context, key);
  return done;
}

async function warnIfBeaten(context: Context, key: SettingKey): Promise<void> {
  const { origin } = context.settingValues[key];
  if (origin === 'environment' || origin === 'flag') {
    await context.tell.warn(`the ${origin} sets ${key} as well, and beats the profile`);
  }
}

function failUnknownKey(key: string): CommandOutcome {
  const known = settingKeys.join(', ');
  return failUsage('key', `there is no setting ${JSON.stringify(key)}; there are ${known}`);
}

function toJson({ key, text, origin }: Row, showOrigin: boolean): object {
  return { key, value: text, ...(showOrigin ? { origin } : {}) };
}

function columns(showOrigin: boolean): readonly Column<Row>[] {
  const shown: Column<Row>[] = [
    { header: 'key', value: ({ key }) => key, table: { title: 'KEY', cell: ({ key }) => key } },
    {
      header: 'value',
      value: ({ text }) => text,
      isText: true,
      table: { title: 'VALUE', cell: ({ text }) => text },
    },
  ];
  const origin: Column<Row> = {
    header: 'origin',
    value: (row) => row.origin,
    table: { title: 'ORIGIN', cell: (row) => row.origin },
  };
  return showOrigin ? [...shown, origin] : shown;
}
