import type { Context } from '../../context.ts';
import { fail, succeed, type Outcome } from '../../outcome.ts';
import { formatCard } from '../../output/card.ts';
import { identifyActor } from '../users/actor.ts';

/** Without a terminal to prompt at, --yes is required. Checked before anything else is done. */
export function checkConfirmable(
  context: Pick<Context, 'isConfirmed' | 'canPrompt'>,
  /** What needs confirmation, like `moving money`. */
  what: string,
  canDryRun = true,
): Outcome<undefined> {
  if (context.isConfirmed || context.canPrompt) return succeed(undefined);
  return fail('CONFIRMATION_REQUIRED', `confirmation required for ${what}`, {
    hint: canDryRun
      ? 'run again with --yes, or with --dry-run to check it only'
      : 'run again with --yes',
  });
}

/** What there is to know before a change that is not of money. */
export type Change = {
  readonly details: readonly (readonly [label: string, value: string | undefined])[];
  readonly question: string;
};

/** Asks for confirmation, unless --yes was given, and shows server, role and details. */
export async function confirmChange(
  context: Context,
  { details, question }: Change,
): Promise<Outcome<undefined>> {
  if (context.isConfirmed) return succeed(undefined);
  const identified = await identifyActor(context);
  if (!identified.ok) return identified;
  const { stderr } = context.io;
  const writer = { io: { ...context.io, stdout: stderr }, manner: context.manner };
  const card = formatCard(writer, [
    ['server', context.settings.server.text],
    ['role', identified.value?.role],
    ...details,
  ]);
  await stderr.write(card);
  return askYes(context, question);
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
