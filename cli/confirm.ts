import type { Context } from './context.ts';
import { fail, succeed, type Outcome } from './failures.ts';

/** Where nobody can be asked, --yes must have been given: said before anything else is done. */
export function checkConfirmable(
  context: Pick<Context, 'isConfirmed' | 'canPrompt'>,
  /** What needs the yes, like `moving money`. */
  what: string,
): Outcome<undefined> {
  if (context.isConfirmed || context.canPrompt) return succeed(undefined);
  return fail('CONFIRMATION_REQUIRED', `${what} needs a yes, and nobody can be asked here`, {
    hint: 'add --yes (or --dry-run, to only have it checked)',
  });
}

/** The last question before something is sent. */
export async function askYes(
  context: Pick<Context, 'prompter'>,
  question: string,
): Promise<Outcome<undefined>> {
  const answer = await context.prompter.confirm(question);
  if (answer === undefined) return fail('INTERRUPTED', 'interrupted; nothing was sent');
  return answer ? succeed(undefined) : fail('DECLINED', 'declined; nothing was sent');
}
