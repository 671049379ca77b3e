import {
  AuthServiceService,
  type SignInRequest,
  type SignInResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { toCliFailure } from '../../rpc/errors.ts';
import { succeed, type Outcome } from '../../outcome.ts';
import { askCode, codeTries } from '../totp/shared.ts';

/**
 * Sends a sign-in. Where the account has a second factor and no code was given, the code is asked
 * for, if there is a terminal.
 */
export async function sendSignIn(
  context: Context,
  request: SignInRequest,
): Promise<Outcome<SignInResponse>> {
  const { canPrompt, io } = context;
  let totpCode = request.totpCode;
  for (let asked = 0; ; asked += 1) {
    const called = await callPatiently(context, { ...request, totpCode });
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

const maxThrottledTries = 3;
const maxThrottledWaitSeconds = 10;

/** A server under attack asks for a wait of some seconds: that is no reason to fail. */
async function callPatiently(context: Context, request: SignInRequest) {
  const { caller, clock, reporter } = context;
  for (let count = 1; ; count += 1) {
    const called = await caller.callAs(undefined, AuthServiceService.signIn, request, 'write');
    if (!called.ok || called.value.ok || count === maxThrottledTries) return called;
    const { reason, metadata } = called.value.failure;
    const seconds = Number(metadata['retryAfterSeconds']);
    if (reason !== 'THROTTLED' || !(seconds > 0 && seconds <= maxThrottledWaitSeconds)) {
      return called;
    }
    await reporter.note(`too many attempts: trying again in ${seconds} s`);
    await clock.sleep(seconds * 1_000);
  }
}

async function noteSecondFactor({ reporter }: Context, answer: SignInResponse): Promise<void> {
  const { recoveryCodesLeft, totpEnrolmentRequired } = answer;
  if (recoveryCodesLeft !== undefined) {
    await reporter.warn(
      `a recovery code was used; ${recoveryCodesLeft} are left (new ones: wallet totp recovery-codes)`,
    );
  }
  if (totpEnrolmentRequired) {
    await reporter.warn(
      'this server requires a second factor of operators and admins; set one up first: wallet totp enable',
    );
  }
}
