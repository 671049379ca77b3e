import { isDeepStrictEqual } from 'node:util';

import { expectedGenesis } from '../support/ledger/chain.ts';
import type { Asked } from './asked.ts';
import type { FaultWindow } from './faults.ts';
import type { Heard } from './listener.ts';
import { formatAmount, operationCodes, sizeOf } from '../support/ledger/wallet-model.ts';
import { exponentOf } from './plan.ts';
import type { EntryRow } from '../support/ledger/final-rows.ts';
import type { Observed } from './observed.ts';

type HeardJudged = {
  readonly violations: readonly string[];
  readonly facts: Readonly<Record<string, number>>;
};

type Body = { readonly pattern: string; readonly data: Record<string, unknown> };
/** The first arrival of an event. */
type First = Heard & { readonly parsed: Body; readonly arrival: number };

/** After a fault has ended, what it has broken off is still sent again. */
const afterFaultMs = 5_000;
/** The faults that break connections which are in use, and refuse what is published. */
const breaking: ReadonlySet<FaultWindow['kind']> = new Set(['broker', 'both', 'cut']);

/**
 * True if a fault lets a later event come at `fromMs` and an earlier one of the same wallet at
 * `toMs`: a broken connection or a refused publish, and with two daemons a takeover as well.
 */
export function mayBeLate(
  { windows, isOrdered }: Pick<Asked, 'windows' | 'isOrdered'>,
  fromMs: number,
  toMs: number,
): boolean {
  return windows.some(
    ({ kind, beganMs, endedMs }) =>
      (!isOrdered || breaking.has(kind)) && beganMs < toMs && endedMs + afterFaultMs > fromMs,
  );
}

/**
 * The outside listener got single events only: each entry and each refusal at least once, with the
 * content that the ledger has; a repeat as it was; those of one wallet in the order of their seq,
 * but for repeats.
 */
export function judgeHeard(asked: Asked, observed: Observed): HeardJudged {
  const violations: string[] = [];
  const firsts = new Map<string, First>();
  let repeats = 0;
  for (const [arrival, heard] of observed.heard.entries()) {
    if (heard.exchange !== 'wallet.events') violations.push(`event through ${heard.exchange}`);
    const first = firsts.get(heard.messageId);
    if (first) {
      repeats += 1;
      if (first.body !== heard.body) violations.push(`event ${heard.messageId}: another content`);
      continue;
    }
    firsts.set(heard.messageId, { ...heard, arrival, parsed: JSON.parse(heard.body) as Body });
  }
  const created = new Map<string, First>();
  const rejected = new Map<string, First>();
  for (const first of firsts.values()) {
    const { pattern, data } = first.parsed;
    if (pattern === 'transaction_created' && first.routingKey === 'transaction.created') {
      const place = `${String(data['walletId'])} ${String(seqOf(first.parsed))}`;
      if (created.has(place)) violations.push(`events: two with other ids about ${place}`);
      created.set(place, first);
    } else if (pattern === 'transaction_rejected' && first.routingKey === 'transaction.rejected') {
      const name = `${String(data['userId'])} ${String(data['messageId'])}`;
      if (rejected.has(name)) violations.push(`events: two with other ids about ${name}`);
      rejected.set(name, first);
    } else violations.push(`events: ${pattern} by ${first.routingKey}`);
  }
  const lateAtFaults = judgeCreated(asked, observed, created, violations);
  judgeRejected(observed, rejected, violations);
  return {
    violations,
    facts: {
      'events received': observed.heard.length,
      'events repeated': repeats,
      'events out of order at faults': lateAtFaults,
    },
  };
}

const seqOf = ({ data }: Body): unknown =>
  (data['transaction'] as { readonly seq?: unknown } | undefined)?.seq;

/** Gives how many first arrivals were out of order, where a fault allows that. */
function judgeCreated(
  asked: Asked,
  { entries }: Observed,
  created: ReadonlyMap<string, First>,
  violations: string[],
): number {
  let lateAtFaults = 0;
  let before: { readonly entry: EntryRow; readonly first: First | undefined } | undefined;
  for (const entry of entries) {
    const place = `${entry.wallet_id} ${entry.seq}`;
    const first = created.get(place);
    const previous = before?.entry.wallet_id === entry.wallet_id ? before : undefined;
    before = { entry, first };
    if (!first) {
      violations.push(`${place}: no event`);
      continue;
    }
    if (!isDeepStrictEqual(first.parsed.data, toData(entry, previous?.entry))) {
      violations.push(`${place}: the event differs from the entry: ${first.body}`);
    }
    if (!previous?.first || previous.first.arrival < first.arrival) continue;
    if (mayBeLate(asked, first.atMs, previous.first.atMs)) {
      lateAtFaults += 1;
    } else violations.push(`${place}: its event came before that of the entry before it`);
  }
  if (created.size > entries.length) violations.push('events: more than there are entries');
  return lateAtFaults;
}

const operationNames = new Map(
  Object.entries(operationCodes).map(([name, code]): [number, string] => [code, name]),
);

/** `data` of `transaction_created`, as docs/events.md describes it. */
export function toData(entry: EntryRow, previous: EntryRow | undefined): object {
  const { user_id: userId, wallet_id: walletId, currency } = entry;
  const exponent = exponentOf(currency);
  const amountMinor = BigInt(entry.amount);
  const transaction = {
    id: entry.id,
    seq: Number(entry.seq),
    operation: operationNames.get(entry.operation),
    amount: formatAmount(sizeOf(amountMinor), exponent),
    direction: amountMinor < 0n ? 'debit' : 'credit',
    balanceAfter: formatAmount(BigInt(entry.balance_after), exponent),
    contraAccount: entry.contra_account,
    ...(entry.parent_id !== null && { parentId: entry.parent_id }),
    ...(entry.description !== null && { description: entry.description }),
    source: entry.source === 2 ? 'message' : 'grpc',
    actor: entry.actor,
    occurredAt: new Date(Number(entry.at_ms)).toISOString(),
    previousHash: previous?.hash ?? expectedGenesis(walletId, userId, currency),
    hash: entry.hash,
  };
  return { userId, walletId, currency, transaction };
}

function judgeRejected(
  { refusals }: Observed,
  rejected: ReadonlyMap<string, First>,
  violations: string[],
): void {
  const byKey = new Map([...rejected.values()].map((first) => [keyOf(first), first]));
  for (const { message_id: key, reason } of refusals) {
    const found = byKey.get(key)?.parsed.data['reason'];
    if (found !== reason) violations.push(`message ${key}: ${reason}, its event ${String(found)}`);
  }
  if (byKey.size !== refusals.length || rejected.size !== refusals.length) {
    violations.push(`events: ${rejected.size} rejections of ${refusals.length} refused messages`);
  }
}

const keyOf = ({ parsed }: First): string => String(parsed.data['messageId']);
