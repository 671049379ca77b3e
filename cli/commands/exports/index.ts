import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addExportsDownload } from './download.ts';
import { addExportsList } from './list.ts';
import { addExportsShow } from './show.ts';
import { addExportsWait } from './wait.ts';

/** `wallet exports list|show|wait|download`. */
export function addExportsCommands(program: Command, start: Start): void {
  const group = program.command('exports').description('statements exported to files');
  addExportsList(group, start);
  addExportsShow(group, start);
  addExportsWait(group, start);
  addExportsDownload(group, start);
}
