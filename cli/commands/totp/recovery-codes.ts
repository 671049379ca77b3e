import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';
import { printRecoveryCodes } from '../../output/recovery-codes.ts';
import { askPasswordAndCode, type TotpInputOptions } from './shared.ts';
import { explainPassword } from './enable.ts';

/** `wallet totp recovery-codes`: new ones; the old ones are void. */
export async function runTotpRecoveryCodes(
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
