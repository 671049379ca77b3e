import { randomUUID } from 'node:crypto';

import { isUndo } from '../../../core/operations.ts';
import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import { deny } from '../../platform/access/access.ts';
import type { AuditTrail } from '../../platform/audit/audit.ts';
import { parseJson } from '../../platform/broker/broker.ts';
import type { Db } from '../../platform/db/db.ts';
import type { Replay, ReplayOutcome, ReplayPlan } from '../../platform/dead-letters/replays.ts';
import { stillDead, type PlanReplays } from '../../platform/dead-letters/dead-letters.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { createTransientRejection } from '../../platform/transient-rejection.ts';
import { detailsOf, resultOf } from '../requests/audit.ts';
import type { Command } from '../domain.ts';
import {
  commitAll,
  findEffectId,
  readMessages,
  toHandling,
  type EmittedOptions,
} from './emitted-consumer.ts';
import type { Poison } from './messages.ts';
import { onlyIfDone } from './outbox-full.ts';
import type { AuditedDecision, AuditedCommand } from '../requests/audited-command.ts';
import { parentKey } from '../requests/items.ts';
import { checkReplayer } from '../requests/operation-rights.ts';
import * as reads from '../store/reads.ts';

export type ReplayOptions = EmittedOptions & { readonly trail: Pick<AuditTrail, 'recordDenial'> };

type Read = { readonly replay: Replay; readonly read: Command | Poison };
type Readable = { readonly replay: Replay; readonly read: Command };

const isReadable = (item: Read): item is Readable => !('kind' in item.read);

/**
 * Replays of the messages that ask for transactions. Caller class and key stay the message's, so
 * that one which took effect is known again; who acts depends on whether it was changed.
 */
export function createReplayPlan(options: ReplayOptions): PlanReplays {
  return async (replays, context, isDryRun) => {
    const messages = replays.map(({ message }) => message);
    const read = await readMessages(options, messages);
    const items = replays.flatMap((replay, i): Read[] => {
      const one = read[i];
      return one ? [{ replay, read: one }] : [];
    });
    const readable = items.filter(isReadable);
    const allowed = await checkReplayers(options, readable, context, isDryRun);
    if (!allowed.ok) return allowed;
    // Whether an unchanged one can be handled by now is only known once it is.
    const dead = items.find(({ replay, read: one }) => {
      return 'kind' in one && (replay.isChanged || !isDryRun);
    })?.read;
    if (dead && 'kind' in dead) return stillDead(dead);
    for (const item of readable) {
      const refusal = await findEarlierEffect(options, item);
      if (refusal) return refusal;
    }
    return succeed(createPlan(options, items, context));
  };
}

/** All that are refused are on record, each with what it would have moved. */
async function checkReplayers(
  { db, trail }: ReplayOptions,
  items: readonly Readable[],
  context: CallContext,
  isDryRun: boolean,
): Promise<Result<void>> {
  const { principal } = context;
  if (principal.kind !== 'user') return deny('a user must replay dead letters');
  const isOfDebit = await readDebits(db, items);
  const refusals = items.flatMap(({ replay, read }): Rejection[] => {
    const checked = checkReplayer(principal, read, replay.isChanged, isOfDebit(read));
    if (checked.ok) return [];
    const details = { ...detailsOfReplay({ replay, read }), dryRun: String(isDryRun) };
    return [{ ...checked.rejection, denied: { target: replay.letter.id, details } }];
  });
  for (const refusal of refusals) trail.recordDenial(context, 'replayDeadLetters', refusal);
  const [first] = refusals;
  // Already recorded: the refusal must not be recorded again.
  return first ? refuse(first.reason, first.message, first.metadata) : succeed(undefined);
}

/** Whether what a command undoes has paid another wallet; where that is not known it may have. */
async function readDebits(
  db: Db,
  items: readonly Readable[],
): Promise<(command: Command) => boolean> {
  const keyOf = ({ wallet: { userId }, parentId = '' }: Command) => ({ userId, id: parentId });
  const keys = items.flatMap(({ read }) =>
    isUndo(read.operation) && read.more?.other ? [keyOf(read)] : [],
  );
  const parents =
    keys.length === 0 ? undefined : await db.read((tx) => reads.findParents(tx, keys));
  return (command) => {
    const { userId, id } = keyOf(command);
    return parents?.get(parentKey(userId, id))?.isDebit ?? true;
  };
}

function createPlan(
  options: ReplayOptions,
  items: readonly Read[],
  context: CallContext,
): ReplayPlan {
  return {
    effectIds: items.map(({ read }) => ('kind' in read ? undefined : read.transactionId)),
    run: async () => {
      const readable = items.filter(isReadable);
      const added = readable.map((item) => toPosting(item, context));
      // What a letter stands for may have been done before.
      const postings = options.isOutboxFull() ? added.map(onlyIfDone) : added;
      const results = await commitAll(options, postings);
      const outcomes = new Map(
        readable.map((item, i) => [item.replay, toOutcome(item, results[i])]),
      );
      return items.map(({ replay, read }) => {
        const outcome = 'kind' in read ? read : outcomes.get(replay);
        if (!outcome) throw new Error('a replay has no outcome');
        return outcome;
      });
    },
  };
}

/** Of a person who changed the message, with their line in the audit log in the same commit. */
function toPosting({ replay, read }: Readable, context: CallContext): AuditedCommand {
  const { principal } = context;
  if (!replay.isChanged || principal.kind !== 'user') return read;
  const { id: deadLetterId } = replay.letter;
  return {
    ...read,
    actor: principal.userId,
    metadata: { ...read.metadata, deadLetterId },
    audit: {
      actor: context,
      id: randomUUID(),
      group: undefined,
      deadLetter: { id: deadLetterId, details: keysOfReplay({ replay, read }) },
    },
  };
}

function toOutcome(item: Readable, result: Result<AuditedDecision> | undefined): ReplayOutcome {
  const handling = toHandling(result, item.read);
  // The caller gets the transient reason, and the letter stays as it is.
  if (handling.kind === 'held' && result && !result.ok)
    throw createTransientRejection(result.rejection);
  if (!result || handling.kind === 'dead') {
    return handling.kind === 'dead' ? handling : { ...nothing, kind: 'dead' };
  }
  const details = { ...keysOfReplay(item), ...detailsOf(item.read, result) };
  return {
    kind: 'done',
    result: resultOf(result),
    details,
    isRecorded: item.replay.isChanged,
  };
}

const nothing = { reason: 'INTERNAL', field: 'body' } as const;

const keysOfReplay = ({ replay, read }: Readable): Readonly<Record<string, string>> => ({
  changed: String(replay.isChanged),
  messageId: read.key,
});

const detailsOfReplay = (item: Readable): Readonly<Record<string, string>> => ({
  ...keysOfReplay(item),
  ...detailsOf(item.read, undefined),
});

/** Found by a version that reads messages as this one does, so that they had no effect. */
const neverHandled: ReadonlySet<string> = new Set([
  'NOT_JSON',
  'UNKNOWN_PATTERN',
  'INVALID_FIELD',
  'MESSAGE_ID_MISSING',
  'AMOUNT_INVALID',
  'CURRENCY_UNKNOWN',
  'CURRENCY_REQUIRED',
]);

/**
 * The ids of transactions follow from wallet and key: with another wallet in its body, a message
 * that took effect would not be known again. So what it stood for as it came is looked up, and what
 * an earlier replay of the letter set out to do.
 */
async function findEarlierEffect(
  options: ReplayOptions,
  { replay, read }: Readable,
): Promise<ReturnType<typeof refuse> | undefined> {
  const { letter, isChanged } = replay;
  const original = isChanged ? await findOriginal(options, replay) : undefined;
  if (isChanged && original === undefined && letter.isCut && !neverHandled.has(letter.reason)) {
    const problem = `dead letter ${letter.id} was too long to be kept whole, and may have taken effect`;
    return refuse('INVALID_ARGUMENT', `${problem}: it cannot be replayed`, { field: 'body' });
  }
  for (const id of [original, letter.attemptId]) {
    if (id === undefined || id === read.transactionId) continue;
    const sides = await options.db.read((tx) => reads.findSides(tx, id, undefined));
    if (sides.length === 0) continue;
    return refuse(
      'IDEMPOTENCY_KEY_REUSED',
      `dead letter ${letter.id} took effect already, as transaction ${id}`,
      { field: 'body', transactionId: id },
    );
  }
  return undefined;
}

const findOriginal = (options: ReplayOptions, { letter, message }: Replay) =>
  findEffectId(options, { ...message, body: parseJson(letter.body), text: letter.body });
