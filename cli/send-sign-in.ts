import {
  AuthServiceService,
  type SignInRequest,
  type SignInResponse,
} from '../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from './context.ts';
import { toCliFailure } from './errors.ts';
import { succeed, type Outcome } from './failures.ts';
import { askCode, codeTries } from './totp-input.ts';

/**
 * Sends a sign-in. Where the account has a second factor and no code was given, the code is asked
 * for, if somebody can be asked.
 */
export async function sendSignIn(
  context: Context,
  request: SignInRequest,
): Promise<Outcome<SignInResponse>> {
  const { caller, canPrompt, io } = context;
  const method = AuthServiceService.signIn;
  let totpCode = request.totpCode;
  for (let asked = 0; ; asked += 1) {
    const called = await caller.callAs(undefined, method, { ...request, totpCode }, 'write');
    if (!called.ok) return called;
    if (called.value.ok) {
      await noteSecondFactor(context, called.value.value);
      return succeed(called.value.value);
    }
    const { failure } = called.value;
    const isWrong = failure.reason === 'TOTP_INVALID' && asked > 0;
    const canAsk =
      canPrompt && asked < codeTries && (isWrong || failure.reason === 'TOTP_REQUIRED');
    if (!canAsk) return { ok: false, failure: toCliFailure(failure, 'read') };
    if (isWrong)
      await io.stderr.write('The code is wrong, or was used before; please try again.\n');
    const code = await askCode(context);
    if (!code.ok) return code;
    totpCode = code.value;
  }
}

async function noteSecondFactor({ tell }: Context, answer: SignInResponse): Promise<void> {
  const { recoveryCodesLeft, totpEnrolmentRequired } = answer;
  if (recoveryCodesLeft !== undefined) {
    await tell.warn(
      `a recovery code was used; ${recoveryCodesLeft} are left (new ones: wallet totp recovery-codes)`,
    );
  }
  if (totpEnrolmentRequired) {
    await tell.warn(
      'this server requires a second factor of operators and admins; until you have one, you can do nothing else: wallet totp enable',
    );
  }
}
