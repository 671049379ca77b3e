import { isDeepStrictEqual } from 'node:util';

import { expectedGenesis, sourceNames } from '../../support/ledger/chain.ts';
import type { EntryRow, FinalRows } from '../../support/ledger/final-rows.ts';
import { operationCodes } from '../../support/ledger/wallet-model.ts';
import type { HeardEntry } from '../record/history.ts';
import { groupBy } from './group.ts';
import type { Checker, Violation } from './violation.ts';

const checker = 'projections';

/** Each entry is one statement line and one event in effect, with the same values. */
export const checkEvents: Checker = ({ heard }, rows) =>
  findEventFaults(heard, rows, listPrevious(rows.entries));

/**
 * Each entry is one statement line with the same values, and there are no others. Nothing waits in
 * the outbox, and the statement service has found no contradiction.
 */
export const checkLines: Checker = (_history, rows) => {
  const violations = findLineFaults(rows, listPrevious(rows.entries));
  if (rows.outboxRows !== 0) {
    violations.push({ checker, what: `${rows.outboxRows} rows are left in the outbox` });
  }
  if (rows.divergences !== 0) {
    violations.push({ checker, what: `${rows.divergences} divergences are recorded` });
  }
  return violations;
};

const placeOf = (walletId: string, seq: bigint | string): string => `${walletId} ${seq}`;

/** The hash before each entry. */
function listPrevious(entries: readonly EntryRow[]): ReadonlyMap<EntryRow, string> {
  const previous = new Map<EntryRow, string>();
  let before: EntryRow | undefined;
  for (const entry of entries) {
    const { wallet_id: walletId, user_id: userId, currency } = entry;
    const isFirst = before?.wallet_id !== walletId;
    previous.set(
      entry,
      isFirst ? expectedGenesis(walletId, userId, currency) : (before?.hash ?? ''),
    );
    before = entry;
  }
  return previous;
}

/** Entries and lines of one place each, and what is wrong with them. */
function findLineFaults(
  { entries, lines }: FinalRows,
  previous: ReadonlyMap<EntryRow, string>,
): Violation[] {
  const violations: Violation[] = [];
  const violate = (walletId: string, seq: string, what: string): void =>
    void violations.push({ checker, walletId, seq: BigInt(seq), what });
  const byPlace = groupBy(lines, (line) => placeOf(line.wallet_id, line.seq));
  const places = new Set<string>();
  for (const entry of entries) {
    const { wallet_id: walletId, seq } = entry;
    places.add(placeOf(walletId, seq));
    const [line, ...others] = byPlace.get(placeOf(walletId, seq)) ?? [];
    if (!line) violate(walletId, seq, 'no line');
    if (others.length > 0) violate(walletId, seq, `${others.length + 1} lines`);
    const source = sourceNames[entry.source];
    const expected = { ...entry, source, previous_hash: previous.get(entry) };
    if (line && !isDeepStrictEqual({ ...line }, expected)) {
      violate(walletId, seq, 'the line differs from the entry');
    }
  }
  for (const { wallet_id: walletId, seq } of lines) {
    if (!places.has(placeOf(walletId, seq))) violate(walletId, seq, 'a line without an entry');
  }
  return violations;
}

function findEventFaults(
  heard: readonly HeardEntry[],
  { entries }: FinalRows,
  previous: ReadonlyMap<EntryRow, string>,
): Violation[] {
  const violations: Violation[] = [];
  const violate = (walletId: string, seq: bigint | string, what: string): void =>
    void violations.push({ checker, walletId, seq: BigInt(seq), what });
  const byPlace = groupBy(heard, ({ walletId, seq }) => placeOf(walletId, seq));
  const places = new Set<string>();
  for (const entry of entries) {
    const { wallet_id: walletId, seq } = entry;
    places.add(placeOf(walletId, seq));
    const events = byPlace.get(placeOf(walletId, seq)) ?? [];
    if (events.length === 0) violate(walletId, seq, 'no event');
    const isSame = (event: HeardEntry): boolean =>
      isDeepStrictEqual({ ...event, atMs: 0 }, toEvent(entry, previous.get(entry) ?? ''));
    if (!events.every(isSame)) violate(walletId, seq, 'an event differs from the entry');
  }
  for (const { walletId, seq } of heard) {
    if (!places.has(placeOf(walletId, seq))) violate(walletId, seq, 'an event without an entry');
  }
  return violations;
}

const operationNames = Object.keys(operationCodes) as readonly (keyof typeof operationCodes)[];

/** The event that an entry has to be heard as, but for the time of its arrival. */
export function toEvent(entry: EntryRow, previousHash: string): HeardEntry {
  const operation = operationNames.find((name) => operationCodes[name] === entry.operation);
  return {
    ...{ atMs: 0, walletId: entry.wallet_id, transactionId: entry.id, seq: BigInt(entry.seq) },
    ...{ operation: operation ?? 'deposit', amountMinor: BigInt(entry.amount) },
    heldMinor: BigInt(entry.held ?? 0),
    ...{ balanceAfterMinor: BigInt(entry.balance_after), occurredAtMs: Number(entry.at_ms) },
    ...{ previousHash, hash: entry.hash },
  };
}
