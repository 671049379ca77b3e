import {
  DeadLetter,
  DeadLetterState,
} from '../../../protos/gen/digitalwallet/common/v1/dead_letter.ts';
import type {
  DiscardDeadLettersRequest,
  ListDeadLettersRequest,
  ReplayDeadLettersRequest,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { refusal, startFakeServer, userId, type FakeServer } from '../../test-support.ts';

/** Dead letters that the server has, and one that it has not. */
export const first = '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11';
export const second = '3d0a7a4e-5c0b-4f0e-8a51-64a6c1b0e922';
export const missing = 'ffffffff-ffff-4fff-8fff-ffffffffffff';

/** The requests that the server got, and how often its dead letters were received. */
export type Seen = {
  readonly lists: ListDeadLettersRequest[];
  readonly replays: ReplayDeadLettersRequest[];
  readonly discards: DiscardDeadLettersRequest[];
  readonly paths: string[];
  received: Pick<DeadLetter, 'receivedCount' | 'receivedAt'> | undefined;
};

export const createSeen = (): Seen => ({
  ...{ lists: [], replays: [], discards: [], paths: [], received: undefined },
});

const makeLetter = (
  { received }: Seen,
  id: string,
  state: DeadLetterState = DeadLetterState.PENDING,
) =>
  DeadLetter.fromPartial({
    id,
    queue: 'wallet_queue',
    reason: 'AMOUNT_INVALID',
    field: 'amount',
    body: '{"data":{"amount":1.10,"note":"\u009b2J\u202e"}}',
    state,
    createdAt: new Date('2026-11-22T12:00:00.123Z'),
    ...received,
  });

/** A server with two dead letters for each service, which decides on any but `missing`. */
export const startDeadLetterServer = (seen: Seen): Promise<FakeServer> =>
  startFakeServer({
    listDeadLetters: (request: ListDeadLettersRequest, call) => {
      seen.paths.push((call as unknown as { getPath(): string }).getPath());
      seen.lists.push(request);
      const { deadLetterIds, pageToken, pageSize } = request;
      if (deadLetterIds.length > 0) {
        const known = deadLetterIds.filter((id) => id !== missing);
        return { deadLetters: known.map((id) => makeLetter(seen, id)), nextPageToken: '' };
      }
      const deadLetters = Array.from({ length: pageSize }, () => makeLetter(seen, first));
      return { deadLetters, nextPageToken: pageToken === 'two' ? '' : pageToken ? 'two' : 'one' };
    },
    replayDeadLetters: (request: ReplayDeadLettersRequest, call) => {
      seen.paths.push((call as unknown as { getPath(): string }).getPath());
      seen.replays.push(request);
      if (request.deadLetterIds.includes(missing)) {
        return refusal('DEAD_LETTER_RESOLVED', 'it was replayed before');
      }
      const state = request.dryRun ? DeadLetterState.PENDING : DeadLetterState.REPLAYED;
      return { deadLetters: request.deadLetterIds.map((id) => makeLetter(seen, id, state)) };
    },
    discardDeadLetters: (request: DiscardDeadLettersRequest) => {
      seen.discards.push(request);
      const { deadLetterIds } = request;
      return {
        deadLetters: deadLetterIds.map((id) => makeLetter(seen, id, DeadLetterState.DISCARDED)),
      };
    },
    getUser: () => ({ user: { id: userId, email: 'op@example.com', role: 2 } }),
  });
