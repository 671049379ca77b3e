import { findTextProblem, textLimits } from '../../../core/text.ts';
import { checkConfirmable } from '../../terminal/confirm.ts';
import type { Context } from '../../context.ts';
import { checkIds, checkService, deadLetterMethods } from './shared.ts';
import { confirmDecision, printDecided, type Decision } from './decide.ts';
import { done, failUsage, type CommandOutcome } from '../../outcome.ts';

export type DeadLettersDiscardOptions = {
  readonly service?: string;
  readonly note?: string;
  readonly dryRun?: boolean;
};

/** `wallet dead-letters discard`: never handles them; who decided it, and why, stays on record. */
export async function runDeadLettersDiscard(
  context: Context,
  ids: readonly string[],
  options: DeadLettersDiscardOptions,
): Promise<CommandOutcome> {
  const service = checkService(options.service);
  if (!service.ok) return service;
  const checkedIds = checkIds(ids);
  if (!checkedIds.ok) return checkedIds;
  const note = options.note ?? '';
  const problem = findTextProblem(note, textLimits.description);
  if (problem !== undefined) return failUsage('note', problem);
  const isDryRun = options.dryRun === true;
  const confirmable = isDryRun ? done : checkConfirmable(context, 'discarding dead letters');
  if (!confirmable.ok) return confirmable;
  const decision: Decision = {
    verb: 'discard',
    service: service.value,
    ids: checkedIds.value,
    isDryRun,
    details: [['note', options.note]],
  };
  const confirmed = await confirmDecision(context, decision);
  if (!confirmed.ok) return confirmed;
  const discarded = await context.caller.call(
    deadLetterMethods[service.value].discard,
    { deadLetterIds: [...checkedIds.value], note, dryRun: isDryRun },
    isDryRun ? 'read' : 'write',
  );
  if (!discarded.ok) return discarded;
  return printDecided(context, decision, discarded.value.deadLetters);
}
