import { sizeOf } from '../../support/ledger/wallet-model.ts';
import type { Attempt, Command, HeardEntry, HeardRejection, History, Outcome } from './history.ts';

/**
 * A message has no answer of its own: what it came to is heard as an event. Gives each message that
 * has no outcome yet the one that was heard first. Copies that were sent after it was heard have
 * none, and are left out: nothing new is ever heard of them.
 */
export function withHeardAnswers(history: History): History {
  const entries = firstBy(history.heard, placeOf);
  const rejections = firstBy(history.rejections, ({ transactionId }) => transactionId);
  const answer = (attempt: Attempt): readonly Attempt[] => {
    const { over, outcome, command, startMs } = attempt;
    if (over !== 'message' || outcome !== undefined) return [attempt];
    const entry = ofCommand(entries.get(placeOf(command)), command);
    const rejection = rejections.get(command.transactionId);
    const heard = entry ?? rejection;
    if (!heard) return [attempt];
    if (heard.atMs < startMs) return [];
    const found: Outcome | undefined = entry ? toAccepted(entry) : toRefused(rejection);
    return [{ ...attempt, endMs: heard.atMs, outcome: found }];
  };
  return { ...history, attempts: history.attempts.flatMap(answer) };
}

/** A transaction between two wallets is heard once for each. */
const placeOf = ({ walletId, transactionId }: Pick<Command, 'walletId' | 'transactionId'>) =>
  `${walletId} ${transactionId}`;

/** An entry of another content under the same key is no answer to this. */
function ofCommand(
  entry: HeardEntry | undefined,
  { operation, amountMinor }: Command,
): HeardEntry | undefined {
  if (!entry) return undefined;
  const isSame = amountMinor === undefined || amountMinor === sizeOf(entry.amountMinor);
  return isSame && entry.operation === operation ? entry : undefined;
}

function firstBy<T extends { readonly atMs: number }>(
  items: readonly T[],
  nameOf: (item: T) => string,
): ReadonlyMap<string, T> {
  const first = new Map<string, T>();
  for (const item of items) {
    const before = first.get(nameOf(item));
    if (!before || item.atMs < before.atMs) first.set(nameOf(item), item);
  }
  return first;
}

function toAccepted(entry: HeardEntry): Outcome {
  const { transactionId, seq, amountMinor, balanceAfterMinor, occurredAtMs, hash } = entry;
  return {
    ...{ kind: 'accepted', transactionId, seq, balanceAfterMinor, occurredAtMs, hash },
    amountMinor: sizeOf(amountMinor),
  };
}

const toRefused = (rejection: HeardRejection | undefined): Outcome | undefined =>
  rejection && {
    ...{ kind: 'refused', reason: rejection.reason, balanceMinor: rejection.balanceMinor },
  };
