import { findAccount } from './accounts.ts';
import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import { toUserJson, userColumns } from '../../output/users.ts';

/** `wallet users show`: one account by id or address, verified or not. */
export async function runUsersShow(context: Context, user: string): Promise<CommandOutcome> {
  const found = await findAccount(context, user);
  if (!found.ok) return found;
  await printObject(context, found.value, userColumns(context.settings.timezone), toUserJson);
  return done;
}
