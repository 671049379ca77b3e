import type { Command } from 'commander';

import { settingKeys } from '../../config/settings.ts';
import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import type { ViewOptions } from '../../output/choose-columns.ts';
import { originOption, settingColumns, toSettingJson, type OriginOptions } from './shared.ts';
import { addViewOptions } from '../shared/options.ts';
import { openPrinter } from '../shared/paging.ts';
import type { Start } from '../shared/start.ts';

/** Adds `wallet config list`. */
export function addConfigList(config: Command, start: Start): void {
  addViewOptions(config.command('list').description('list all settings in effect'))
    .option(...originOption)
    .addHelpText('after', '\nExamples:\n  wallet config list --show-origin')
    .action(async (options: OriginOptions & ViewOptions, command: Command) => {
      await start(command, (context) => runConfigList(context, options), { isLenient: true });
    });
}

/** `wallet config list` */
async function runConfigList(
  context: Context,
  options: OriginOptions & ViewOptions,
): Promise<CommandOutcome> {
  const showOrigin = options.showOrigin === true;
  const list = openPrinter(context, options, settingColumns(showOrigin), (row) =>
    toSettingJson(row, showOrigin),
  );
  if (!list.ok) return list;
  await list.value.add([
    { key: 'profile', text: context.profile, origin: context.profileOrigin },
    ...settingKeys.map((key) => ({ key, ...context.settingValues[key] })),
  ]);
  await list.value.end(undefined, '');
  return done;
}
