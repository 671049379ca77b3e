import type { Command } from 'commander';

import type { ConfigListOptions, ConfigSetOptions } from '../commands/config/config.ts';
import type { Start } from './start.ts';
import { settingKeys } from '../config/settings.ts';

const originOption = ['--show-origin', 'say where each value comes from'] as const;

/** config list|get|set, profiles list|use. */
export function addSettingsCommands(program: Command, start: Start): void {
  const config = program
    .command('config')
    .description('look at and change settings')
    .addHelpText('after', `\nSettings: ${settingKeys.join(', ')}`);
  config
    .command('list')
    .description('list all settings as they count now')
    .option(...originOption)
    .addHelpText('after', '\nExamples:\n  wallet config list --show-origin')
    .action(async (options: ConfigListOptions, command: Command) => {
      await start(
        command,
        async (context) => {
          const { runConfigList } = await import('../commands/config/config.ts');
          return runConfigList(context, options);
        },
        { isLenient: true },
      );
    });
  config
    .command('get')
    .description('print one setting')
    .argument('<KEY>')
    .option(...originOption)
    .addHelpText('after', '\nExamples:\n  wallet config get server')
    .action(async (key: string, options: ConfigListOptions, command: Command) => {
      await start(
        command,
        async (context) => {
          const { runConfigGet } = await import('../commands/config/config.ts');
          return runConfigGet(context, key, options);
        },
        { isLenient: true },
      );
    });
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
      async (
        key: string,
        value: string | undefined,
        options: ConfigSetOptions,
        command: Command,
      ) => {
        await start(
          command,
          async (context) => {
            const { runConfigSet } = await import('../commands/config/config.ts');
            return runConfigSet(context, key, value, options);
          },
          { isLenient: true },
        );
      },
    );
  addProfilesCommands(program, start);
}

function addProfilesCommands(program: Command, start: Start): void {
  const profiles = program
    .command('profiles')
    .description('several servers and accounts side by side');
  profiles
    .command('list')
    .description('list the profiles')
    .addHelpText('after', '\nExamples:\n  wallet profiles list')
    .action(async (_options: unknown, command: Command) => {
      await start(
        command,
        async (context) => {
          const { runProfilesList } = await import('../commands/profiles/profiles.ts');
          return runProfilesList(context);
        },
        { isLenient: true },
      );
    });
  profiles
    .command('use')
    .description('make a profile the one that is used without --profile')
    .argument('<NAME>')
    .addHelpText('after', '\nExamples:\n  wallet profiles use prod')
    .action(async (name: string, _options: unknown, command: Command) => {
      await start(
        command,
        async (context) => {
          const { runProfilesUse } = await import('../commands/profiles/profiles.ts');
          return runProfilesUse(context, name);
        },
        { isLenient: true },
      );
    });
}
