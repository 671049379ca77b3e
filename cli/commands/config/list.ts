import type { Command } from 'commander';

import { settingKeys } from '../../config/settings.ts';
import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { createListPrinter } from '../../output/print.ts';
import { originOption, settingColumns, toSettingJson, type OriginOptions } from './shared.ts';
import type { Start } from '../shared/start.ts';

/** Adds `wallet config list`. */
export function addConfigList(config: Command, start: Start): void {
  config
    .command('list')
    .description('list all settings in effect')
    .option(...originOption)
    .addHelpText('after', '\nExamples:\n  wallet config list --show-origin')
    .action(async (options: OriginOptions, command: Command) => {
      await start(command, (context) => runConfigList(context, options), { isLenient: true });
    });
}

/** `wallet config list` */
async function runConfigList(context: Context, options: OriginOptions): Promise<CommandOutcome> {
  const showOrigin = options.showOrigin === true;
  const list = createListPrinter(context, settingColumns(showOrigin), (row) =>
    toSettingJson(row, showOrigin),
  );
  await list.add([
    { key: 'profile', text: context.profile, origin: context.profileOrigin },
    ...settingKeys.map((key) => ({ key, ...context.settingValues[key] })),
  ]);
  await list.end(undefined, '');
  return done;
}
