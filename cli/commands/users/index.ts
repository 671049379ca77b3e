import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addUsersCreate } from './create.ts';
import { addUsersDisable } from './disable.ts';
import { addUsersEnable } from './enable.ts';
import { addUsersList } from './list.ts';
import { addUsersRevokeAll } from './revoke-all.ts';
import { addUsersSetRole } from './set-role.ts';
import { addUsersShow } from './show.ts';

/** `wallet users list|show|create|set-role|disable|enable|revoke-all`. */
export function addUsersCommands(program: Command, start: Start): void {
  const group = program.command('users').description('manage accounts (staff)');
  addUsersList(group, start);
  addUsersShow(group, start);
  addUsersCreate(group, start);
  addUsersSetRole(group, start);
  addUsersDisable(group, start);
  addUsersEnable(group, start);
  addUsersRevokeAll(group, start);
}
