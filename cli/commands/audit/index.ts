import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addAuditCheckpoints } from './checkpoints.ts';
import { addAuditLog } from './log.ts';
import { addAuditVerify } from './verify.ts';

/** `wallet audit …`. */
export function addAuditCommands(program: Command, start: Start): void {
  const group = program
    .command('audit')
    .description('read the audit log, list checkpoints, and verify the ledger (admins)');
  addAuditLog(group, start);
  addAuditCheckpoints(group, start);
  addAuditVerify(group, start);
}
