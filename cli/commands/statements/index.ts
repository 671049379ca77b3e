import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addStatementExport } from './export.ts';
import { addStatementShow } from './show.ts';
import { addStatementVerify } from './verify.ts';

/** `wallet statement show|export|verify`. */
export function addStatementsCommands(program: Command, start: Start): void {
  const group = program.command('statement').description('account statements');
  addStatementShow(group, start);
  addStatementExport(group, start);
  addStatementVerify(group, start);
}
