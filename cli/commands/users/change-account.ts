import { describeAddress } from '../../../core/addresses.ts';
import { AuthServiceService, type User } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { findAccount } from './accounts.ts';
import { checkConfirmable, confirmChange } from '../shared/confirm.ts';
import type { Context } from '../../context.ts';
import { done, fail, type CommandOutcome } from '../../outcome.ts';
import type { Role } from '../../../core/roles.ts';
import { printObject } from '../../output/print.ts';
import { userColumns } from './columns.ts';
import { identifyActor } from './actor.ts';
import { toUserJson } from '../../../lib/json/accounts.ts';
import { nameRole, roleNumbers } from '../../../lib/json/names.ts';

type AccountChange = {
  readonly changes: { readonly role?: Role; readonly disabled?: boolean };
  /** What becomes of the account, like `role` and `customer -> operator`. */
  readonly describe: (user: User) => readonly [label: string, value: string];
  readonly question: (email: string) => string;
};

/** Changes an account, named by id or address, once the change has been confirmed. */
export async function changeAccount(
  context: Context,
  user: string,
  { changes, describe, question }: AccountChange,
): Promise<CommandOutcome> {
  const confirmable = checkConfirmable(context, 'changing an account', false);
  if (!confirmable.ok) return confirmable;
  const found = await findAccount(context, user);
  if (!found.ok) return found;
  const { id, email, role } = found.value;
  await warnOfOwn(context, id);
  const confirmed = await confirmChange(context, {
    details: [
      ['account', `${describeAddress(email)} (${id}), ${nameRole(role)}`],
      describe(found.value),
    ],
    question: question(describeAddress(email)),
  });
  if (!confirmed.ok) return confirmed;
  const request = {
    userId: id,
    role: changes.role && roleNumbers[changes.role],
    disabled: changes.disabled,
  };
  const updated = await context.caller.call(AuthServiceService.updateUser, request, 'write');
  if (!updated.ok) return updated;
  if (!updated.value.user) return fail('UNEXPECTED', 'the server answered without a user');
  const columns = userColumns(context.settings.timezone);
  await printObject(context, updated.value.user, columns, toUserJson);
  return done;
}

async function warnOfOwn(context: Context, userId: string): Promise<void> {
  const caller = await identifyActor(context);
  if (caller.ok && caller.value?.id === userId) {
    await context.reporter.warn('this is the account that you are signed in with');
  }
}
