import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addAuditLog } from './log.ts';

/** `wallet audit log`. */
export function addAuditCommands(program: Command, start: Start): void {
  const group = program.command('audit').description('read the audit log (admins)');
  addAuditLog(group, start);
}
