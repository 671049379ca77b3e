import type { Command } from 'commander';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import {
  addPasswordAndCodeOptions,
  askPasswordAndCode,
  explainPassword,
  type TotpInputOptions,
} from './shared.ts';
import type { Start } from '../shared/start.ts';

/** Adds `wallet totp disable`. */
export function addTotpDisable(totp: Command, start: Start): void {
  addPasswordAndCodeOptions(
    totp.command('disable').description('remove the second factor; your other sessions end'),
  )
    .addHelpText(
      'after',
      `
Examples:
  wallet totp disable
  wallet totp disable --password-stdin --totp-stdin < password-and-code.txt`,
    )
    .action(async (options: TotpInputOptions, command: Command) => {
      await start(command, (context) => runTotpDisable(context, options));
    });
}

/** `wallet totp disable`: sign-in needs the password alone from then on. */
async function runTotpDisable(
  context: Context,
  options: TotpInputOptions,
): Promise<CommandOutcome> {
  const credential = await context.credentials.get();
  if (!credential.ok) return credential;
  const asked = await askPasswordAndCode(context, options);
  if (!asked.ok) return asked;
  const disabled = await context.caller.call(AuthServiceService.disableTotp, asked.value, 'write');
  if (!disabled.ok) return { ok: false, failure: explainPassword(disabled.failure) };
  const { revokedSessions } = disabled.value;
  if (context.manner.output === 'table') {
    await context.reporter.note(
      `the second factor is disabled; other sessions ended: ${revokedSessions}`,
    );
    return done;
  }
  const columns = [
    { header: 'enabled', value: () => 'false' },
    { header: 'revoked_sessions', value: () => String(revokedSessions) },
  ];
  await printObject(context, { enabled: false, revokedSessions }, columns, (row) => row);
  return done;
}
