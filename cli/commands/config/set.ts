import type { Command } from 'commander';
import { resolve } from 'node:path';

import { changeSetting } from '../../config/profiles.ts';
import {
  findSettingProblem,
  isSettingKey,
  normaliseSetting,
  type SettingKey,
} from '../../config/settings.ts';
import type { Context } from '../../context.ts';
import { done, failUsage, type CommandOutcome } from '../../outcome.ts';
import { failUnknownKey } from './shared.ts';
import type { Start } from '../shared/start.ts';

type ConfigSetOptions = { readonly unset?: boolean };

/** Adds `wallet config set`. */
export function addConfigSet(config: Command, start: Start): void {
  config
    .command('set')
    .description('change a setting of the profile in use')
    .argument('<KEY>')
    .argument('[VALUE]')
    .option('--unset', 'remove it from the profile')
    .addHelpText(
      'after',
      `
Examples:
  wallet config set currency EUR
  wallet config set server wallet.example.com:443 --profile prod
  wallet config set currency --unset`,
    )
    .action(
      async (key: string, value: string | undefined, options: ConfigSetOptions, self: Command) => {
        await start(self, (context) => runConfigSet(context, key, value, options), {
          isLenient: true,
        });
      },
    );
}

/** `wallet config set KEY VALUE`, in the profile in use; `--unset` removes it from there. */
async function runConfigSet(
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
  await warnIfOverridden(context, key);
  return done;
}

async function warnIfOverridden(context: Context, key: SettingKey): Promise<void> {
  const { origin } = context.settingValues[key];
  if (origin === 'environment' || origin === 'flag') {
    await context.reporter.warn(`the ${origin} also sets ${key}, and overrides the profile`);
  }
}
