import { checkRole } from './accounts.ts';
import { changeAccount } from './change-account.ts';
import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';
import { nameRole } from '../../output/names.ts';

/** `wallet users set-role`: what the account may do from now on. */
export async function runUsersSetRole(
  context: Context,
  user: string,
  roleText: string,
): Promise<CommandOutcome> {
  const role = checkRole(roleText);
  if (!role.ok) return role;
  return changeAccount(context, user, {
    changes: { role: role.value },
    describe: (found) => ['role', `${nameRole(found.role)} -> ${role.value}`],
    question: (email) => `Make ${email} ${role.value === 'customer' ? 'a' : 'an'} ${role.value}?`,
  });
}
