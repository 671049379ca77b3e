import type { Result } from '../../core/reasons.ts';
import {
  DeadLetterState as WireState,
  type DeadLetter as WireLetter,
} from '../../protos/gen/digitalwallet/events/v1/dead_letter.ts';
import type { DeadLetterState, StoredLetter } from './dead-letter-rows.ts';
import type { DeadLetters } from './dead-letters.ts';
import type { CallContext } from './grpc/calls.ts';

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

/** The three calls that every service with dead letters has; their messages are alike. */
export function createDeadLetterHandlers(deadLetters: DeadLetters) {
  return {
    listDeadLetters: async (
      request: ListRequest,
    ): Promise<Result<Letters & { nextPageToken: string }>> => {
      const listed = await deadLetters.list({
        ...request,
        ids: request.deadLetterIds,
        state: states.find((state) => wireStates[state] === request.state),
      });
      if (!listed.ok) return listed;
      const { letters, nextPageToken } = listed.value;
      return { ok: true, value: { deadLetters: letters.map(toWire), nextPageToken } };
    },
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

const states = ['pending', 'replayed', 'discarded'] as const;

function wrap(result: Result<StoredLetter[]>): Result<Letters> {
  return result.ok ? { ok: true, value: { deadLetters: result.value.map(toWire) } } : result;
}

function toWire(letter: StoredLetter): WireLetter {
  return {
    id: letter.id,
    queue: letter.queue,
    messageId: letter.messageId ?? '',
    reason: letter.reason,
    field: letter.field ?? '',
    body: letter.body,
    state: wireStates[letter.state],
    createdAt: new Date(letter.createdAtMs),
    decidedAt: letter.decidedAtMs === undefined ? undefined : new Date(letter.decidedAtMs),
    decidedBy: letter.decidedBy ?? '',
  };
}
