import type { Command } from 'commander';

import { isSettingKey } from '../../config/settings.ts';
import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { toPlainLine } from '../../terminal/plain.ts';
import { printObject } from '../../output/print.ts';
import {
  failUnknownKey,
  originOption,
  settingColumns,
  toSettingJson,
  type OriginOptions,
  type SettingRow,
} from './shared.ts';
import type { Start } from '../shared/start.ts';

/** Adds `wallet config get`. */
export function addConfigGet(config: Command, start: Start): void {
  config
    .command('get')
    .description('print one setting')
    .argument('<KEY>')
    .option(...originOption)
    .addHelpText('after', '\nExamples:\n  wallet config get server')
    .action(async (key: string, options: OriginOptions, command: Command) => {
      await start(command, (context) => runConfigGet(context, key, options), { isLenient: true });
    });
}

/** `wallet config get KEY`: the value alone, to be used in a script. */
async function runConfigGet(
  context: Context,
  key: string,
  options: OriginOptions,
): Promise<CommandOutcome> {
  if (!isSettingKey(key)) return failUnknownKey(key);
  const showOrigin = options.showOrigin === true;
  const row: SettingRow = { key, ...context.settingValues[key] };
  if (context.manner.output === 'table' && !showOrigin) {
    if (row.text !== undefined) await writeValue(context, row.text);
    return done;
  }
  await printObject(context, row, settingColumns(showOrigin), (value) =>
    toSettingJson(value, showOrigin),
  );
  return done;
}

/** A pipe gets the text as it is. */
function writeValue({ io: { stdout } }: Context, text: string): Promise<void> {
  return stdout.write(`${stdout.isTerminal ? toPlainLine(text) : text}\n`);
}
