import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addSessionsList } from './list.ts';
import { addSessionsRevoke } from './revoke.ts';

/** `wallet sessions list|revoke`. */
export function addSessionsCommands(program: Command, start: Start): void {
  const group = program.command('sessions').description('list and revoke sessions');
  addSessionsList(group, start);
  addSessionsRevoke(group, start);
}
