import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addTotpDisable } from './disable.ts';
import { addTotpEnable } from './enable.ts';
import { addTotpRecoveryCodes } from './recovery-codes.ts';
import { addTotpStatus } from './status.ts';

/** `wallet totp enable|disable|recovery-codes|status`. */
export function addTotpCommands(program: Command, start: Start): void {
  const group = program.command('totp').description('a second factor for sign-in');
  addTotpEnable(group, start);
  addTotpDisable(group, start);
  addTotpRecoveryCodes(group, start);
  addTotpStatus(group, start);
}
