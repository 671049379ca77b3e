import type { Command } from 'commander';
import { createReadStream } from 'node:fs';

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
import { done, failUsage, succeed, type CommandOutcome, type Outcome } from '../../outcome.ts';
import { readBounded } from '../../terminal/io.ts';
import { formatExcerpt } from '../../output/json-text.ts';
import type { ViewOptions } from '../../output/choose-columns.ts';
import { addViewOptions, dryRunOption } from '../shared/options.ts';
import type { Start } from '../shared/start.ts';

type DeadLettersReplayOptions = ViewOptions & {
  readonly service?: string;
  readonly body?: string;
  readonly messageId?: string;
  readonly dryRun?: boolean;
};

/** With all that goes around it, less than the server takes in one request. */
const bodyLimitBytes = 128 * 1024;

/** Adds `wallet dead-letters replay`. */
export function addDeadLettersReplay(deadLetters: Command, start: Start): void {
  addViewOptions(
    addServiceOption(deadLetters.command('replay').description('process dead letters again')),
  )
    .argument('<ID...>', 'ids of the dead letters')
    .option('--body <FILE>', 'a corrected body for exactly one; - reads stdin')
    .option('--message-id <KEY>', 'the key for exactly one dead letter that has none')
    .option(...dryRunOption)
    .addHelpText(
      'after',
      `
Examples:
  wallet dead-letters replay ${exampleId}
  wallet dead-letters replay ${exampleId} --body corrected.json
  wallet dead-letters replay ${exampleId} --message-id order-1042 --dry-run

With another body or an added message id, the replay is your own action: your role, the rule about
own wallets and the limits of your API key apply, and you are the actor. An API key moves money only
with the scope transactions:write besides dead-letters:write; list and show need dead-letters:read.

A decision is final: a dead letter is replayed at most once. After an unknown outcome (exit code 9)
run the same command again; if the first one succeeded, this one is refused (6).`,
    )
    .action(async (ids: string[], options: DeadLettersReplayOptions, command: Command) => {
      await start(command, (context) => runDeadLettersReplay(context, ids, options));
    });
}

/**
 * `wallet dead-letters replay`: processes them again, one of them with a corrected body if needed.
 */
async function runDeadLettersReplay(
  context: Context,
  ids: readonly string[],
  options: DeadLettersReplayOptions,
): Promise<CommandOutcome> {
  const service = checkService(options.service);
  if (!service.ok) return service;
  const checkedIds = checkIds(ids);
  if (!checkedIds.ok) return checkedIds;
  const correction = checkCorrection(checkedIds.value.length, options);
  if (!correction.ok) return correction;
  const isDryRun = options.dryRun === true;
  const printer = openDecided(context, options, isDryRun);
  if (!printer.ok) return printer;
  const confirmable = isDryRun ? done : checkConfirmable(context, 'replaying dead letters');
  if (!confirmable.ok) return confirmable;
  const body = await readBody(context, options.body);
  if (!body.ok) return body;
  const isOwnAction = body.value !== undefined || options.messageId !== undefined;
  const decision: Decision = {
    verb: 'replay',
    service: service.value,
    ids: checkedIds.value,
    isDryRun,
    printer: printer.value,
    details: [
      ['message id', options.messageId],
      ['new body', body.value === undefined ? undefined : formatExcerpt(body.value)],
      ['on record as', isOwnAction ? 'your own action, if it changes the message' : undefined],
    ],
    body: body.value,
  };
  const confirmed = await confirmDecision(context, decision);
  if (!confirmed.ok) return confirmed;
  const replayed = await context.caller.call(
    deadLetterMethods[service.value].replay,
    {
      deadLetterIds: [...checkedIds.value],
      body: body.value,
      messageId: options.messageId,
      dryRun: isDryRun,
    },
    isDryRun ? 'read' : 'write',
  );
  if (!replayed.ok) return replayed;
  return printDecided(context, decision, replayed.value.deadLetters);
}

/** A body and a key are of one message. */
function checkCorrection(
  count: number,
  { body, messageId }: DeadLettersReplayOptions,
): Outcome<undefined> {
  if (count > 1 && body !== undefined) {
    return failUsage('body', 'applies to one dead letter: give exactly one id');
  }
  if (messageId === undefined) return succeed(undefined);
  if (count > 1) {
    return failUsage('message_id', 'applies to one dead letter: give exactly one id');
  }
  const problem =
    messageId === '' ? 'must not be empty' : findTextProblem(messageId, textLimits.idempotencyKey);
  return problem === undefined ? succeed(undefined) : failUsage('message_id', problem);
}

/** The text of a file, or of stdin for `-`. */
async function readBody(
  { io }: Context,
  path: string | undefined,
): Promise<Outcome<string | undefined>> {
  if (path === undefined) return succeed(undefined);
  if (path === '-' && io.isStdinTerminal) {
    return failUsage(
      'body',
      'is read from stdin, which is a terminal',
      'pipe it in, or name a file',
    );
  }
  let bytes: Buffer | undefined;
  try {
    bytes = await readBounded(path === '-' ? io.stdin : createReadStream(path), bodyLimitBytes);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return failUsage('body', `cannot be read: ${why}`);
  }
  if (!bytes) return failUsage('body', `must have at most ${bodyLimitBytes / 1024} KiB`);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return failUsage('body', 'must be UTF-8');
  }
  return text.trim() === '' ? failUsage('body', 'must not be empty') : succeed(text);
}
