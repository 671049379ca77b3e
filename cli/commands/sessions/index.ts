import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addSessionsList } from './list.ts';
import { addSessionsRevoke } from './revoke.ts';

/** `wallet sessions list|revoke`. */
export function addSessionsCommands(program: Command, start: Start): void {
  const group = program.command('sessions').description('where you are signed in');
  addSessionsList(group, start);
  addSessionsRevoke(group, start);
}
