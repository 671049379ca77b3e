import { createReadStream } from 'node:fs';

import { findTextProblem, textLimits } from '../../../core/text.ts';
import { checkConfirmable } from '../../terminal/confirm.ts';
import type { Context } from '../../context.ts';
import { checkIds, checkService, deadLetterMethods } from './shared.ts';
import { confirmDecision, printDecided, type Decision } from './decide.ts';
import { done, failUsage, succeed, type CommandOutcome, type Outcome } from '../../outcome.ts';
import { readBounded } from '../../terminal/io.ts';
import { formatExcerpt } from '../../output/json-text.ts';

export type DeadLettersReplayOptions = {
  readonly service?: string;
  readonly body?: string;
  readonly messageId?: string;
  readonly dryRun?: boolean;
};

/** With all that goes around it, less than the server takes in one request. */
const bodyLimitBytes = 128 * 1024;

/** `wallet dead-letters replay`: handles them once more, one of them mended if need be. */
export async function runDeadLettersReplay(
  context: Context,
  ids: readonly string[],
  options: DeadLettersReplayOptions,
): Promise<CommandOutcome> {
  const service = checkService(options.service);
  if (!service.ok) return service;
  const checkedIds = checkIds(ids);
  if (!checkedIds.ok) return checkedIds;
  const mended = checkMended(checkedIds.value.length, options);
  if (!mended.ok) return mended;
  const isDryRun = options.dryRun === true;
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
function checkMended(
  count: number,
  { body, messageId }: DeadLettersReplayOptions,
): Outcome<undefined> {
  if (count > 1 && body !== undefined) {
    return failUsage('body', 'is the body of one dead letter: give exactly one id');
  }
  if (messageId === undefined) return succeed(undefined);
  if (count > 1) {
    return failUsage('message_id', 'is the key of one dead letter: give exactly one id');
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
