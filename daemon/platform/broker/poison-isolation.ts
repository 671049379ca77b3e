import type { Consumer, Handling, InboundMessage } from './broker.ts';
import { classifyDbError } from '../db/db.ts';
import { findTransientRejection } from '../transient-rejection.ts';
import type { Log } from '../log.ts';

type Handle = Consumer['handle'];

const held: Handling = { kind: 'held' };
const refused: Handling = { kind: 'dead', reason: 'INTERNAL', field: 'body' };
/** After so many unknown failures in a row what is left of a batch is taken apart no further. */
const maxDefects = 24;
/** So often a message fails alone, beside others that do not, before it is dead-lettered. */
const maxAttempts = 5;

type Attempt = {
  defectsLeft: number;
  /** The first failure that is not known to be of a message's content. */
  defect: Error | undefined;
  /** What failed by itself. */
  readonly failed: Map<InboundMessage, unknown>;
};

/**
 * Isolates poison messages by bisection, so that one fails none of its neighbours: where a batch
 * fails for its content or for an unknown reason, its halves are handled separately. Content that
 * the database refuses is dead. What fails for an unknown reason is held and tried again, and is
 * dead once it has failed a few times beside others that were handled. Rejects where all have to
 * wait, and where nothing at all can be handled: then it is not for the messages.
 */
export function isolate(handle: Handle, log?: Log): Handle {
  const attempts = new WeakMap<InboundMessage, number>();
  return async (messages) => {
    const state: Attempt = { defectsLeft: maxDefects, defect: undefined, failed: new Map() };
    const handlings = await handlePart(messages, handle, state, log);
    const isNothingDone = handlings.every(({ kind }) => kind === 'held');
    if (state.defect !== undefined && isNothingDone) throw state.defect;
    if (state.defect !== undefined) {
      const messages = state.failed.size;
      log?.warn({ err: state.defect, messages }, 'messages fail by themselves: they are held');
    }
    return handlings.map((handling, i) => {
      const message = messages[i];
      if (!message || !state.failed.has(message)) return handling;
      const count = (attempts.get(message) ?? 0) + 1;
      attempts.set(message, count);
      if (count < maxAttempts) return held;
      log?.error({ err: state.failed.get(message) }, 'a message fails by itself: dead-lettered');
      return refused;
    });
  };
}

async function handlePart(
  messages: readonly InboundMessage[],
  handle: Handle,
  state: Attempt,
  log: Log | undefined,
): Promise<readonly Handling[]> {
  try {
    const handlings = await handle(messages);
    if (handlings.length !== messages.length) throw new Error('not every message got an answer');
    state.defectsLeft = maxDefects;
    return handlings;
  } catch (err) {
    const kind = findTransientRejection(err) ? 'transient' : classifyDbError(err);
    if (kind === 'transient') throw err;
    const [only] = messages.length === 1 ? messages : [];
    if (only && kind === 'data') {
      log?.error({ err }, 'the database refuses the content of a message: it is dead-lettered');
      return [refused];
    }
    if (kind === 'unexpected') {
      state.defect ??= err instanceof Error ? err : new Error('not handled', { cause: err });
      state.defectsLeft -= 1;
      if (only) state.failed.set(only, err);
      if (only || state.defectsLeft <= 0) return messages.map(() => held);
    }
    const middle = messages.length >> 1;
    const first = await handlePart(messages.slice(0, middle), handle, state, log);
    return [...first, ...(await handlePart(messages.slice(middle), handle, state, log))];
  }
}
