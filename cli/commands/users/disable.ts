import { changeAccount } from './change-account.ts';
import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';

/** `wallet users disable` */
export function runUsersDisable(context: Context, user: string): Promise<CommandOutcome> {
  return changeAccount(context, user, {
    changes: { disabled: true },
    describe: () => ['disable', 'its sessions end, and its API keys do nothing any more'],
    question: (email) => `Disable ${email}?`,
  });
}

/** `wallet users enable` */
export function runUsersEnable(context: Context, user: string): Promise<CommandOutcome> {
  return changeAccount(context, user, {
    changes: { disabled: false },
    describe: () => ['enable', 'it can sign in again'],
    question: (email) => `Enable ${email}?`,
  });
}
