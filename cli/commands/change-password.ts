import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../context.ts';
import { done, failUsage, type CliFailure, type CommandOutcome } from '../failures.ts';
import { printObject } from '../output/print.ts';
import { askPasswordChange } from '../password.ts';

export type ChangePasswordOptions = {
  readonly passwordStdin?: boolean;
  readonly revokeOtherSessions?: boolean;
};

/** `wallet change-password`: of the caller; the session in use goes on. */
export async function runChangePassword(
  context: Context,
  options: ChangePasswordOptions,
): Promise<CommandOutcome> {
  // Nobody should type passwords to then hear that nobody is signed in.
  const credential = await context.credentials.get();
  if (!credential.ok) return credential;
  const asked = await askPasswordChange(context, options.passwordStdin === true);
  if (!asked.ok) return asked;
  if (asked.value.old === asked.value.new) {
    return failUsage('new_password', 'the new password is the same as the old one');
  }
  const revokeOtherSessions = options.revokeOtherSessions === true;
  const changed = await context.caller.call(
    AuthServiceService.changePassword,
    { oldPassword: asked.value.old, newPassword: asked.value.new, revokeOtherSessions },
    'write',
  );
  if (!changed.ok) return { ok: false, failure: explain(changed.failure) };
  if (context.manner.output === 'table') {
    const others = revokeOtherSessions ? 'all other sessions were ended' : 'other sessions go on';
    await context.tell.hint(`the password was changed; ${others}`);
    return done;
  }
  const row = { changed: true, otherSessionsRevoked: revokeOtherSessions };
  const columns = [
    { header: 'changed', value: () => 'true' },
    { header: 'other_sessions_revoked', value: () => String(revokeOtherSessions) },
  ];
  await printObject(context, row, columns, (data) => data);
  return done;
}

function explain(failure: CliFailure): CliFailure {
  if (failure.reason === 'CREDENTIALS_INVALID') {
    return { ...failure, hint: 'check the old password; nothing was changed' };
  }
  // The same command again would show an old password that may be old by now.
  return failure.exitCode === 9
    ? { ...failure, hint: 'try the new password, then the old one: wallet sign-in' }
    : failure;
}
