import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  toEntryRow,
  toLineRow,
  toPages,
  toWalletRow,
} from '../../tests/support/ledger/copied-rows.ts';
import { edit, editNames, placeOf, type Edited } from '../../tests/support/ledger/ledger-edits.ts';
import {
  absolute,
  seededRandom,
  type Entry,
  type Hold,
  type Ledger,
} from '../../tests/support/ledger/ledger-rows.ts';
import { makeLedger } from '../../tests/support/ledger/rows/make-ledger.ts';
import {
  createMerge,
  createPairSums,
  findChildProblem,
  findHoldProblem,
  findOpenProblem,
  findUnpaired,
  namesOther,
  type ChildEntry,
  type HoldRow,
  type HoldUses,
  type LedgerFinding,
  type PairSide,
  type ParentFacts,
} from './index.ts';

/** What is found in a ledger whose rows come in pages of this size. */
function check(ledger: Ledger, pageSize: number, hasLines = true): LedgerFinding[] {
  const found: LedgerFinding[] = [];
  const sums = createPairSums();
  const merge = createMerge({
    report: (finding) => found.push(finding),
    onChild: (child) => {
      const problem = findChildProblem(child, factsOf(ledger, child));
      if (problem) found.push({ walletId: child.walletId, seq: child.seq, ...problem });
    },
    onHold: ({ walletId, seq, ...hold }) => {
      const row = findRow(ledger, walletId, hold.id);
      const detail = findHoldProblem({ walletId, seq, ...hold }, usesOf(ledger, hold.id), row);
      if (detail !== undefined) found.push({ walletId, seq, kind: 'hold', detail });
    },
    onOpenHolds: (open) => {
      const problem = findOpenProblem(open, findFirstOpen(ledger, open.walletId));
      if (problem) found.push({ walletId: open.walletId, seq: open.seq, ...problem });
    },
    onPair: sums.add,
    ...(hasLines
      ? {
          onMissing: (walletId: string, seq: bigint) =>
            found.push({ walletId, seq, kind: 'line_missing', detail: '' }),
        }
      : {}),
  });
  const pages = {
    wallets: toPages(ledger.wallets.map(toWalletRow), pageSize),
    entries: toPages(ledger.entries.map(toEntryRow), pageSize),
    lines: toPages(hasLines ? ledger.lines.map(toLineRow) : [], pageSize),
  };
  const used: { wallets?: Buffer; entries?: Buffer; lines?: Buffer } = {};
  while (!merge.isOver()) {
    for (const name of ['wallets', 'entries', 'lines'] as const) {
      const queue = merge.queues[name];
      const page = queue.isWaiting() ? pages[name].shift() : undefined;
      if (!page) continue;
      queue.add(page);
      // As the next rows would be written into the memory of the page before.
      used[name]?.fill(0xff);
      used[name] = page.bytes;
    }
    merge.run();
  }
  for (const hold of ledger.holds.filter((one) => !isPlaced(ledger, one))) {
    found.push({ walletId: hold.wallet_id, seq: BigInt(hold.seq), kind: 'hold', detail: '' });
  }
  for (const { first, last } of sums.listUneven()) {
    for (const id of new Set(ledger.entries.map((entry) => entry.id))) {
      if (id < first || id > last) continue;
      for (const { side, detail } of findUnpaired(sidesOf(ledger, id))) {
        found.push({ walletId: side.walletId, seq: side.seq, kind: 'pair', detail });
      }
    }
  }
  return found;
}

const toMs = (micros: bigint): number => Number(micros) / 1_000;

const isPlaced = ({ entries }: Ledger, hold: Hold): boolean =>
  entries.some(
    ({ id, wallet_id: walletId, operation }) =>
      id === hold.id && walletId === hold.wallet_id && operation === 7,
  );

function findRow({ holds }: Ledger, walletId: string, id: string): HoldRow | undefined {
  const row = holds.find((hold) => hold.id === id && hold.wallet_id === walletId);
  return (
    row && {
      ...{ seq: BigInt(row.seq), amountMinor: row.amount, usedMinor: row.used },
      ...{ capturedMinor: row.captured, state: row.state, contraAccount: row.contra_account },
      ...{ placedAtMs: toMs(row.placed_micros), expiresAtMs: toMs(row.expires_micros) },
      closedAtMs: row.closed_micros === null ? undefined : toMs(row.closed_micros),
    }
  );
}

const findFirstOpen = ({ holds }: Ledger, walletId: string) =>
  holds
    .filter((hold) => hold.wallet_id === walletId && hold.state === 'open')
    .map(({ id, expires_micros: micros }) => ({ id, expiresAtMs: toMs(micros) }))
    .sort((a, b) => a.expiresAtMs - b.expiresAtMs)[0];

function usedAfter({ parent_used: used, amount, held }: Entry): bigint {
  const [moved, reserved] = [absolute(amount), absolute(held ?? 0n)];
  return (used ?? 0n) + (moved > reserved ? moved : reserved);
}

function usesOf({ entries }: Ledger, id: string): HoldUses {
  const uses = entries
    .filter((entry) => entry.parent_id === id)
    .sort((a, b) => Number((a.parent_used ?? 0n) - (b.parent_used ?? 0n)));
  const last = uses.at(-1);
  const captures = uses.filter(({ operation }) => operation === 8);
  return {
    usedMinor: last ? usedAfter(last) : 0n,
    capturedMinor: captures.reduce((sum, { amount }) => sum - amount, 0n),
    last: last && { occurredAtMs: toMs(last.micros), isOfSystem: last.source === 3 },
  };
}

/** What the database is asked about the parent of an entry. */
function factsOf({ entries }: Ledger, child: ChildEntry): ParentFacts | undefined {
  const own = entries.filter((entry) => entry.wallet_id === child.walletId);
  const parent = own.find(({ id }) => id === child.parentId);
  if (!parent) return undefined;
  const placed = own
    .filter((entry) => entry.parent_id === child.parentId)
    .map((entry) => ({ seq: BigInt(entry.seq), place: entry.parent_used ?? 0n, entry }))
    .sort((a, b) => Number(b.place - a.place) || Number(a.seq - b.seq));
  const before = placed.find(({ place }) => place < child.parentUsedMinor);
  const metadata = JSON.parse(parent.metadata ?? '{}') as Readonly<Record<string, string>>;
  return {
    ...{ seq: BigInt(parent.seq), operation: parent.operation, amountMinor: parent.amount },
    ...{ heldMinor: parent.held ?? 0n, contraAccount: parent.contra_account },
    expiresAt: metadata['dw.expiresAt'],
    before: before && { seq: before.seq, usedAfterMinor: usedAfter(before.entry) },
    sameSeq: placed.find(({ place }) => place === child.parentUsedMinor)?.seq,
  };
}

const sidesOf = ({ entries, wallets }: Ledger, id: string): PairSide[] =>
  entries.flatMap((entry) => {
    const wallet = wallets.find((one) => one.id === entry.wallet_id);
    const isOfUsers = namesOther(entry.contra_account, wallet?.user_id);
    const isSide = entry.id === id && entry.amount !== 0n && isOfUsers;
    if (!isSide || !wallet) return [];
    return {
      ...{ walletId: wallet.id, seq: BigInt(entry.seq), id, operation: entry.operation },
      ...{ amountMinor: entry.amount, contraAccount: entry.contra_account },
      ...{ parentId: entry.parent_id ?? undefined, parentUsedMinor: entry.parent_used ?? 0n },
      ...{ userId: wallet.user_id, currency: wallet.currency },
    };
  });

const seeds = Array.from({ length: 10 }, (_, i) => i + 1);
const counts = [0, 1, 2, 5, 12, 30];
const placesOf = (found: readonly LedgerFinding[]): string[] => [
  ...new Set(found.map(({ walletId, seq }) => placeOf(walletId, seq))),
];

describe('a ledger as it was written', () => {
  it.each([1, 2, 3, 7, 1_000])('has no finding, with pages of %i rows', (pageSize) => {
    for (const seed of seeds) {
      const ledger = makeLedger(counts, seededRandom(seed));
      expect(check(ledger, pageSize)).toEqual([]);
      expect(check(ledger, pageSize, false)).toEqual([]);
    }
  });
});

describe('a ledger whose balances pass what is exact in a number', () => {
  const make = (seed: number): Ledger => makeLedger([30, 40], seededRandom(seed), 10n ** 12n);

  it('a ledger as it was written has no finding', () => {
    for (const seed of seeds) expect(check(make(seed), 7)).toEqual([]);
  });

  it('a balance that is off by one unit is found', () => {
    for (const seed of seeds) {
      const ledger = make(seed);
      const entry = ledger.entries.find(({ balance_after }) => balance_after > 10n ** 16n);
      if (!entry) throw new Error('no balance is so large');
      entry.balance_after += 1n;
      const kinds = check(ledger, 7).filter(({ seq }) => Number(seq) === entry.seq);
      expect(kinds.map(({ kind }) => kind)).toEqual(['hash', 'balance']);
    }
  });
});

/** An edited ledger: of this seed, or of the next one in which there is something to edit. */
function makeEdited(name: string, seed: number): { ledger: Ledger; made: Edited } {
  for (let next = seed; next < seed + 500; next += 1) {
    const random = seededRandom(next);
    const ledger = makeLedger(counts, random);
    const made = edit(name, ledger, random);
    if (made) return { ledger, made };
  }
  throw new Error(`no ledger has what "${name}" edits`);
}

describe.each(editNames)('the edit %s', (name) => {
  it('an edit is found where it was made, and nowhere else', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 9 }), (seed, pageSize) => {
        const { ledger, made } = makeEdited(name, seed);
        const places = placesOf(check(ledger, pageSize));
        expect(places.length).toBeGreaterThan(0);
        const others = places.filter((place) => !made.places.includes(place));
        for (const place of others) expect(made.related).toContain(place);
        expect(places.length).toBeGreaterThan(others.length);
        const wanted = name === 'swap' ? made.places : [];
        expect(places).toEqual(expect.arrayContaining([...wanted]));
      }),
      { numRuns: 20 },
    );
  });

  it('an edit is found without the lines too, unless it is one of them', () => {
    if (name.startsWith('line ')) return;
    for (const seed of seeds) {
      const { ledger, made } = makeEdited(name, 1_000 * seed);
      const { related } = made;
      const isOwn = (place: string) => made.places.includes(place) || !related.includes(place);
      const places = placesOf(check(ledger, 4, false)).filter(isOwn);
      expect(places.some((place) => made.places.includes(place))).toBe(true);
      // What follows a swapped entry follows another one.
      expect(places.length).toBeLessThanOrEqual(2 * made.places.length);
    }
  });
});
