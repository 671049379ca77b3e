import type { Result } from '../../../core/reasons.ts';
import { textLimits } from '../../../core/text.ts';
import {
  DeadLetterState as WireState,
  type DeadLetter as WireLetter,
} from '../../../protos/gen/digitalwallet/common/v1/dead_letter.ts';
import { auditRead } from '../audit/reads.ts';
import type { AuditTrail } from '../audit/audit.ts';
import type { DeadLetterState, StoredLetter } from './rows.ts';
import { redact } from './redaction.ts';
import { checkUnbound, type DeadLetters } from './dead-letters.ts';
import type { CallContext } from '../grpc/calls.ts';
import { maxPageBytes, textBytes } from '../page-token.ts';

type ListRequest = {
  pageSize: number;
  pageToken: string;
  state: WireState;
  reason: string;
  deadLetterIds: string[];
};
type ReplayRequest = {
  deadLetterIds: string[];
  body?: string | undefined;
  messageId?: string | undefined;
  dryRun: boolean;
};
type DiscardRequest = { deadLetterIds: string[]; note: string; dryRun: boolean };
type Letters = { deadLetters: WireLetter[] };

const wireStates: Readonly<Record<DeadLetterState, WireState>> = {
  pending: WireState.PENDING,
  replayed: WireState.REPLAYED,
  discarded: WireState.DISCARDED,
};

/** For the requests of the three: a body as the CLI takes it, and notes like descriptions. */
export const deadLetterBounds = {
  replayDeadLetters: { body: 128 * 1024, message_id: textLimits.idempotencyKey },
  discardDeadLetters: { note: textLimits.description },
} as const;

type Listed = Letters & { nextPageToken: string };

/** The three calls that every service with dead letters has; their messages are alike. */
export function createDeadLetterHandlers(
  deadLetters: DeadLetters,
  trail: Pick<AuditTrail, 'record'>,
) {
  const list = async (request: ListRequest, context: CallContext): Promise<Result<Listed>> => {
    const bound = checkUnbound(context);
    if (!bound.ok) return bound;
    const listed = await deadLetters.list({
      ...request,
      ids: request.deadLetterIds,
      state: states.find((state) => wireStates[state] === request.state),
    });
    if (!listed.ok) return listed;
    const { letters, nextPageToken } = listed.value;
    return { ok: true, value: { deadLetters: letters.map(toWire), nextPageToken } };
  };
  return {
    /** Bodies are other people's: who reads them is on record before they are sent. */
    listDeadLetters: auditRead(trail, list, describeRead),
    replayDeadLetters: async (request: ReplayRequest, context: CallContext) =>
      wrap(
        await deadLetters.replay(
          {
            ids: request.deadLetterIds,
            body: request.body,
            messageId: request.messageId,
            isDryRun: request.dryRun,
          },
          context,
        ),
      ),
    discardDeadLetters: async (request: DiscardRequest, context: CallContext) =>
      wrap(
        await deadLetters.discard(
          { ids: request.deadLetterIds, note: request.note, isDryRun: request.dryRun },
          context,
        ),
      ),
  };
}

function describeRead({ deadLetterIds, reason, state }: ListRequest, shown: Listed) {
  const count = String(shown.deadLetters.length);
  if (deadLetterIds.length > 0) {
    return { action: 'dead_letters.show', target: deadLetterIds.join(','), details: { count } };
  }
  const named = states.find((name) => wireStates[name] === state) ?? '';
  const details = { count, reason, state: named };
  return { action: 'dead_letters.list', target: 'all', details };
}

const states = ['pending', 'replayed', 'discarded'] as const;

function wrap(result: Result<StoredLetter[]>): Result<Letters> {
  if (!result.ok) return result;
  let bytes = 0;
  const deadLetters = result.value.map((letter) => {
    const wire = toWire(letter);
    bytes += textBytes(wire.body);
    // Each has its decision; bodies only as far as the answer has room for them.
    return bytes <= maxPageBytes ? wire : { ...wire, body: '', bodyOmitted: true };
  });
  return { ok: true, value: { deadLetters } };
}

function toWire(letter: StoredLetter): WireLetter {
  return {
    id: letter.id,
    queue: letter.queue,
    messageId: letter.messageId ?? '',
    reason: letter.reason,
    field: letter.field ?? '',
    body: redact(letter.shown),
    bodyOmitted: false,
    state: wireStates[letter.state],
    createdAt: new Date(letter.createdAtMs),
    decidedAt: letter.decidedAtMs === undefined ? undefined : new Date(letter.decidedAtMs),
    decidedBy: letter.decidedBy ?? '',
    result: letter.result ?? '',
    userId: letter.userId ?? '',
    altered: letter.isAltered,
    receivedCount: letter.receivedCount,
    receivedAt: new Date(letter.receivedAtMs),
  };
}
