import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addProfilesList } from './list.ts';
import { addProfilesUse } from './use.ts';

/** `wallet profiles list|use`. */
export function addProfilesCommands(program: Command, start: Start): void {
  const group = program.command('profiles').description('use several servers and accounts');
  addProfilesList(group, start);
  addProfilesUse(group, start);
}
