import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import { askPasswordAndCode, type TotpInputOptions } from './shared.ts';
import { explainPassword } from './enable.ts';

/** `wallet totp disable`: sign-in needs the password alone from then on. */
export async function runTotpDisable(
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
    await context.tell.note(
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
