import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addOpenDocs } from './docs.ts';

/** `wallet open docs` */
export function addOpenCommands(program: Command, start: Start): void {
  const group = program.command('open').description('open pages of the server in the browser');
  addOpenDocs(group, start);
}
