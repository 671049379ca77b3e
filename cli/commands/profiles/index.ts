import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addProfilesList } from './list.ts';
import { addProfilesRemove } from './remove.ts';
import { addProfilesRename } from './rename.ts';
import { addProfilesUse } from './use.ts';

/** `wallet profiles list|use|rename|remove`. */
export function addProfilesCommands(program: Command, start: Start): void {
  const group = program.command('profiles').description('use several servers and accounts');
  addProfilesList(group, start);
  addProfilesUse(group, start);
  addProfilesRename(group, start);
  addProfilesRemove(group, start);
}
