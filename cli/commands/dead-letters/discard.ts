import type { Command } from 'commander';

import { findTextProblem, textLimits } from '../../../core/text.ts';
import { checkConfirmable } from '../shared/confirm.ts';
import type { Context } from '../../context.ts';
import {
  addServiceOption,
  checkIds,
  checkService,
  deadLetterMethods,
  exampleId,
} from './shared.ts';
import { confirmDecision, openDecided, printDecided, type Decision } from './decide.ts';
import { done, failUsage, type CommandOutcome } from '../../outcome.ts';
import type { ViewOptions } from '../../output/choose-columns.ts';
import { addViewOptions, dryRunOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';

type DeadLettersDiscardOptions = ViewOptions & {
  readonly service?: string;
  readonly note?: string;
  readonly dryRun?: boolean;
};

/** Adds `wallet dead-letters discard`. */
export function addDeadLettersDiscard(deadLetters: Command, start: Start): void {
  addViewOptions(
    addServiceOption(
      deadLetters.command('discard').description('discard dead letters permanently'),
    ),
  )
    .argument('<ID...>', 'ids of the dead letters')
    .option('--note <TEXT>', 'the reason, kept with the change')
    .option(...dryRunOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet dead-letters discard ${exampleId} --note "a test of the shop's"
  wallet dead-letters discard ${exampleId} --service statement -y`,
    )
    .action(async (ids: string[], options: DeadLettersDiscardOptions, command: Command) => {
      await start(command, (context) => runDeadLettersDiscard(context, ids, options));
    });
}

/** `wallet dead-letters discard`: never handles them; who decided it, and why, stays on record. */
async function runDeadLettersDiscard(
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
  const printer = openDecided(context, options, isDryRun);
  if (!printer.ok) return printer;
  const confirmable = isDryRun ? done : checkConfirmable(context, 'discarding dead letters');
  if (!confirmable.ok) return confirmable;
  const decision: Decision = {
    verb: 'discard',
    service: service.value,
    ids: checkedIds.value,
    isDryRun,
    printer: printer.value,
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
