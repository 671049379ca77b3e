import type { Command } from 'commander';

import {
  AuthServiceService,
  type GetTotpStatusResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { printObject, type Column } from '../../output/print.ts';
import { timeColumn } from '../../output/columns.ts';
import type { Start } from '../shared/start.ts';

/** Adds `wallet totp status`. */
export function addTotpStatus(totp: Command, start: Start): void {
  totp
    .command('status')
    .description('show whether sign-in needs a code, and how many recovery codes are left')
    .addHelpText('after', '\nExamples:\n  wallet totp status --json')
    .action(async (_options: unknown, command: Command) => {
      await start(command, runTotpStatus);
    });
}

/** `wallet totp status`: whether sign-in needs a code, and how many recovery codes are left. */
async function runTotpStatus(context: Context): Promise<CommandOutcome> {
  const got = await context.caller.call(AuthServiceService.getTotpStatus, {}, 'read');
  if (!got.ok) return got;
  const plain = (
    header: string,
    value: (row: GetTotpStatusResponse) => string,
  ): Column<GetTotpStatusResponse> => ({
    ...{ header, value },
    table: { title: header.replaceAll('_', ' '), cell: value },
  });
  const { timezone } = context.settings;
  const columns = [
    plain('enabled', ({ enabled }) => String(enabled)),
    timeColumn('enabled_at', 'ENABLED AT', timezone, (row: GetTotpStatusResponse) => row.enabledAt),
    plain('required', ({ required }) => String(required)),
    plain('recovery_codes_left', ({ recoveryCodesLeft }) => String(recoveryCodesLeft)),
  ];
  await printObject(context, got.value, columns, (row) => ({
    enabled: row.enabled,
    enabledAt: row.enabledAt?.toISOString(),
    required: row.required,
    recoveryCodesLeft: row.recoveryCodesLeft,
  }));
  return done;
}
