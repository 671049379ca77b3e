import { randomUUID } from 'node:crypto';

import type { Asked } from './asked.ts';
import { chainRows } from '../support/ledger/chain-rows.ts';
import { mayBeLate, toData } from './judge-heard.ts';
import { judge } from './judge.ts';
import type { Heard } from './listener.ts';
import type { EntryRow } from '../support/ledger/final-rows.ts';
import type { Observed } from './observed.ts';

/** Gives what a defect would have left behind; undefined where the run has nothing to change. */
type Mutate = (observed: Observed, asked: Asked) => Observed | undefined;
/** A defect, and the violation that has to be found. */
type Mutant = readonly [Mutate, RegExp];

const middleOf = <T>(list: readonly T[]): T | undefined => list[list.length >> 1];

const without = <T>(list: readonly T[], one: T | undefined): T[] =>
  list.filter((element) => element !== one);

const replace = <T>(list: readonly T[], one: T | undefined, other: Partial<T>): T[] =>
  list.map((element) => (element === one ? { ...element, ...other } : element));

/** Both elements, each at the place of the other. */
const exchange = <T>(list: readonly T[], a: T, b: T): T[] =>
  list.map((element) => (element === a ? b : element === b ? a : element));

const isOf = (heard: Heard, name: string): boolean => heard.routingKey === `transaction.${name}`;

/** Two entries of one wallet, the second right after the first one. */
function findPair(
  { entries }: Observed,
  isFit: (entry: EntryRow, other: EntryRow) => boolean,
): readonly [EntryRow, EntryRow] | undefined {
  for (let i = 0; i < entries.length; i += 1) {
    // From the middle on.
    const at = (i + (entries.length >> 1)) % entries.length;
    const [a, b] = [entries[at], entries[at + 1]];
    if (a && b && a.wallet_id === b.wallet_id && isFit(a, b)) return [a, b];
  }
  return undefined;
}

/** Everything of one wallet as if it had been decided in another order. */
function exchangeDecisions(observed: Observed): Observed | undefined {
  const isFit = ({ operation, source }: EntryRow): boolean => operation === 1 && source === 2;
  const pair = findPair(observed, (a, b) => isFit(a) && isFit(b));
  if (!pair) return undefined;
  const walletId = pair[0].wallet_id;
  const isHere = (row: { readonly wallet_id: string }): boolean => row.wallet_id === walletId;
  const before = observed.entries.filter(isHere);
  const after = chainRows(exchange(before, ...pair));
  const ids = new Map<string, string>();
  const seqs = new Map(before.map(({ id }, i) => [id, i]));
  for (const { body, messageId } of observed.heard) ids.set(idOf(body), messageId);
  const heard = observed.heard.map((one): Heard => {
    const place = seqs.get(idOf(one.body));
    const entry = place === undefined ? undefined : after.entries[place];
    if (place === undefined || !entry) return one;
    const data = toData(entry, after.entries[place - 1]);
    const body = JSON.stringify({ pattern: 'transaction_created', data });
    return { ...one, body, messageId: ids.get(entry.id) ?? '' };
  });
  const merge = <T>(rows: readonly T[], isChanged: (row: T) => boolean, changed: readonly T[]) => {
    const first = rows.findIndex(isChanged);
    const rest = rows.filter((row) => !isChanged(row));
    return [...rest.slice(0, first), ...changed, ...rest.slice(first)];
  };
  return {
    ...observed,
    entries: merge(observed.entries, isHere, after.entries),
    lines: merge(observed.lines, isHere, after.lines),
    wallets: merge(observed.wallets, ({ id }) => id === walletId, after.wallets),
    heard,
  };
}

const idOf = (body: string): string => /"transaction":\{"id":"([^"]+)"/.exec(body)?.[1] ?? '';

/** The first arrivals of the events of two entries that follow each other, exchanged. */
function exchangeEvents(observed: Observed, asked: Asked): Observed | undefined {
  const firsts = new Map<string, Heard>();
  for (const one of observed.heard) {
    if (!firsts.has(idOf(one.body))) firsts.set(idOf(one.body), one);
  }
  const pair = findPair(observed, (first, second) => {
    const [fromMs, toMs] = [firsts.get(first.id)?.atMs, firsts.get(second.id)?.atMs];
    return fromMs !== undefined && toMs !== undefined && !mayBeLate(asked, fromMs, toMs);
  });
  const [a, b] = (pair ?? []).map(({ id }) => firsts.get(id));
  if (!a || !b) return undefined;
  const [early, late] = [
    { ...b, atMs: a.atMs },
    { ...a, atMs: b.atMs },
  ];
  const heard = observed.heard.map((one) => (one === a ? early : one === b ? late : one));
  return { ...observed, heard };
}

/** Where the order of the queue is open, it is none. */
const otherOrder = 'two messages of a wallet are decided in another order';

const mutants: Readonly<Record<string, Mutant>> = {
  'a line is missing': [(o) => ({ ...o, lines: without(o.lines, middleOf(o.lines)) }), /no line/],
  'a line is there twice': [
    (o) => {
      const line = middleOf(o.lines);
      return line && { ...o, lines: [...o.lines, line] };
    },
    /2 lines/,
  ],
  'a line has another hash': [
    (o) => ({
      ...o,
      lines: replace(o.lines, middleOf(o.lines), { hash: 'ab'.repeat(32) }),
    }),
    /the line differs/,
  ],
  'two lines are exchanged': [
    (o) => {
      const pair = findPair(o, () => true);
      const [a, b] = (pair ?? []).map(({ id }) => o.lines.find((line) => line.id === id));
      if (!a || !b) return undefined;
      return { ...o, lines: exchange(o.lines, a, b).map((l) => moved(l, a, b)) };
    },
    /the line differs/,
  ],
  'a balance is higher': [
    (o) => {
      const wallet = middleOf(o.wallets);
      if (!wallet) return undefined;
      return {
        ...o,
        wallets: replace(o.wallets, wallet, { balance: String(BigInt(wallet.balance) + 1n) }),
      };
    },
    /the wallet has .* add up to/,
  ],
  'an entry has another amount': [
    (o) => ({
      ...o,
      entries: replace(o.entries, middleOf(o.entries), { amount: '123456' }),
    }),
    /: amount is 123456/,
  ],
  'a message has no effect': [(o) => dropLast(o), /has no effect|in the ledger as undefined/],
  'a message has two effects': [
    (o) => {
      const first = middleOf(o.entries.filter(({ operation }) => operation === 1));
      if (!first) return undefined;
      const of = o.entries.filter((entry) => entry.wallet_id === first.wallet_id);
      const after = chainRows([...of, { ...first, id: randomUUID() }]);
      const isOther = (row: { readonly wallet_id: string }) => row.wallet_id !== first.wallet_id;
      return {
        ...o,
        entries: [...o.entries.filter(isOther), ...after.entries],
        lines: [...o.lines.filter(isOther), ...after.lines],
        wallets: [...o.wallets.filter(({ id }) => id !== first.wallet_id), ...after.wallets],
      };
    },
    /was not asked for/,
  ],
  [otherOrder]: [exchangeDecisions, /out of the order of the queue/],
  'a refusal is missing': [
    (o) => ({ ...o, refusals: without(o.refusals, middleOf(o.refusals)) }),
    /message .*: has no effect/,
  ],
  'a refusal has another reason': [
    (o) => ({
      ...o,
      refusals: replace(o.refusals, middleOf(o.refusals), { reason: 'WALLET_FROZEN' }),
    }),
    /refused with WALLET_FROZEN/,
  ],
  'an accepted message is refused as well': [
    (o) => {
      const entry = middleOf(o.entries);
      const refusal = middleOf(o.refusals);
      if (!entry || !refusal) return undefined;
      const { wallet_id, id: transaction_id } = entry;
      return { ...o, refusals: [...o.refusals, { ...refusal, wallet_id, transaction_id }] };
    },
    /refused, which it must not be/,
  ],
  'an event was not sent': [
    (o) => {
      const event = middleOf(o.heard.filter((heard) => isOf(heard, 'created')));
      return { ...o, heard: o.heard.filter(({ messageId }) => messageId !== event?.messageId) };
    },
    /: no event/,
  ],
  'a rejection was not sent': [
    (o) => {
      const event = middleOf(o.heard.filter((heard) => isOf(heard, 'rejected')));
      return { ...o, heard: o.heard.filter(({ messageId }) => messageId !== event?.messageId) };
    },
    /rejections of/,
  ],
  'a repeat has another content': [
    (o) => {
      const event = middleOf(o.heard);
      return event && { ...o, heard: [...o.heard, { ...event, body: `${event.body} ` }] };
    },
    /another content/,
  ],
  'a repeat has another id': [
    (o) => {
      const event = middleOf(o.heard);
      return event && { ...o, heard: [...o.heard, { ...event, messageId: randomUUID() }] };
    },
    /two with other ids/,
  ],
  'two events of a wallet came in another order': [
    exchangeEvents,
    /came before that of the entry before it/,
  ],
  'a listener received a bundle': [
    (o) => {
      const events = o.heard.slice(0, 3).map(({ body }): unknown => JSON.parse(body));
      const body = JSON.stringify({ pattern: 'transactions_created', data: { events } });
      const [first] = o.heard;
      return first && { ...o, heard: [...o.heard, { ...first, messageId: randomUUID(), body }] };
    },
    /transactions_created by/,
  ],
  'a dead letter is missing': [
    (o) => ({ ...o, letters: without(o.letters, middleOf(o.letters)) }),
    /no dead letter/,
  ],
  'a valid message is a dead letter': [
    (o) => {
      const [letter] = o.letters;
      if (!letter) return undefined;
      return { ...o, letters: [...o.letters, { ...letter, message_id: 'x', content: '{}' }] };
    },
    /of no poison message/,
  ],
  'a row is left in the outbox': [(o) => ({ ...o, outboxRows: 1 }), /1 rows are left/],
  'a divergence was recorded': [(o) => ({ ...o, divergences: 1 }), /1 divergences/],
};

/** At the place of the other one, with its own content. */
const moved = <T extends { readonly seq: string }>(line: T, a: T, b: T): T => {
  if (line === a) return { ...a, seq: b.seq };
  return line === b ? { ...b, seq: a.seq } : line;
};

/** The last entry of a wallet with all its traces. */
function dropLast(observed: Observed): Observed | undefined {
  const isMessage = (entry: EntryRow): boolean => entry.source === 2;
  const pair = findPair(observed, isMessage);
  if (!pair) return undefined;
  const [{ wallet_id: walletId }] = pair;
  const of = observed.entries.filter((entry) => entry.wallet_id === walletId);
  const last = of.at(-1);
  const { wallets } = chainRows(of.slice(0, -1));
  return {
    ...observed,
    entries: without(observed.entries, last),
    lines: observed.lines.filter(({ id }) => id !== last?.id),
    wallets: [...observed.wallets.filter(({ id }) => id !== walletId), ...wallets],
    heard: observed.heard.filter(({ body }) => idOf(body) !== last?.id),
  };
}

/** How many defects the checks find that are planted into what the run has left behind. */
export function countMutants(
  asked: Asked,
  observed: Observed,
): { readonly caught: number; readonly missed: readonly string[] } {
  const before = new Set(judge(asked, observed).violations);
  const planted = Object.entries(mutants).filter(
    ([name]) => asked.isOrdered || name !== otherOrder,
  );
  const missed = planted.flatMap(([name, [mutate, pattern]]) => {
    const mutated = mutate(observed, asked);
    const found = mutated ? judge(asked, mutated).violations : [];
    const isFound = found.some((violation) => !before.has(violation) && pattern.test(violation));
    return isFound ? [] : [name];
  });
  return { caught: planted.length - missed.length, missed };
}
