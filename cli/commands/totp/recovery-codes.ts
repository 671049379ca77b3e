import type { Command } from 'commander';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';
import { printRecoveryCodes } from './print-recovery-codes.ts';
import {
  addPasswordAndCodeOptions,
  askPasswordAndCode,
  explainPassword,
  type TotpInputOptions,
} from './shared.ts';
import type { Start } from '../shared/start.ts';

/** Adds `wallet totp recovery-codes`. */
export function addTotpRecoveryCodes(totp: Command, start: Start): void {
  addPasswordAndCodeOptions(
    totp
      .command('recovery-codes')
      .description('create new recovery codes; the old ones become invalid'),
  )
    .addHelpText('after', '\nExamples:\n  wallet totp recovery-codes > recovery-codes.txt')
    .action(async (options: TotpInputOptions, command: Command) => {
      await start(command, (context) => runTotpRecoveryCodes(context, options));
    });
}

/** `wallet totp recovery-codes`: new ones; the old ones are void. */
async function runTotpRecoveryCodes(
  context: Context,
  options: TotpInputOptions,
): Promise<CommandOutcome> {
  const credential = await context.credentials.get();
  if (!credential.ok) return credential;
  const asked = await askPasswordAndCode(context, options);
  if (!asked.ok) return asked;
  const method = AuthServiceService.regenerateRecoveryCodes;
  const made = await context.caller.call(method, asked.value, 'write');
  if (!made.ok) return { ok: false, failure: explainPassword(made.failure) };
  return printRecoveryCodes(context, made.value.recoveryCodes);
}
