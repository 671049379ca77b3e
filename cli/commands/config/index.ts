import type { Command } from 'commander';

import { settingKeys } from '../../config/settings.ts';
import type { Start } from '../shared/start.ts';
import { addConfigGet } from './get.ts';
import { addConfigList } from './list.ts';
import { addConfigSet } from './set.ts';

/** `wallet config list|get|set`. */
export function addConfigCommands(program: Command, start: Start): void {
  const group = program
    .command('config')
    .description('show and change settings')
    .addHelpText('after', `\nSettings: ${settingKeys.join(', ')}`);
  addConfigList(group, start);
  addConfigGet(group, start);
  addConfigSet(group, start);
}
