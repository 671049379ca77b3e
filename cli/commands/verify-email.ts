import { quoteForShell } from '../../core/shell-word.ts';
import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../context.ts';
import { toCliFailure } from '../errors.ts';
import { done, fail, type CommandOutcome } from '../failures.ts';
import { printObject } from '../output/print.ts';
import { toUserJson, userColumns } from '../output/users.ts';

/** `wallet verify-email`: proves with the mailed code that the address is one's own. */
export async function runVerifyEmail(context: Context, code: string): Promise<CommandOutcome> {
  const method = AuthServiceService.verifyEmail;
  const called = await context.caller.callAs(undefined, method, { code: code.trim() }, 'write');
  if (!called.ok) return called;
  if (!called.value.ok) return { ok: false, failure: toCliFailure(called.value.failure, 'write') };
  const { user } = called.value.value;
  if (!user) return fail('UNEXPECTED', 'the server answered without a user');
  await printObject(context, user, userColumns(context.settings.timezone), toUserJson);
  await context.tell.hint(`next: wallet sign-in --email ${quoteForShell(user.email)}`);
  return done;
}
