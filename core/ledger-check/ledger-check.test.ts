import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  toEntryRow,
  toLineRow,
  toPages,
  toWalletRow,
} from '../../tests/support/ledger/copied-rows.ts';
import { edit, editNames, placeOf } from '../../tests/support/ledger/ledger-edits.ts';
import { makeLedger, seededRandom, type Ledger } from '../../tests/support/ledger/ledger-rows.ts';
import { createMerge, type LedgerFinding } from './index.ts';

/** What is found in a ledger whose rows come in pages of this size. */
function check(ledger: Ledger, pageSize: number, hasLines = true): LedgerFinding[] {
  const found: LedgerFinding[] = [];
  const merge = createMerge({
    report: (finding) => found.push(finding),
    onUndo: () => undefined,
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
  return found;
}

const seeds = Array.from({ length: 25 }, (_, i) => i + 1);
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

describe.each(editNames)('the edit %s', (name) => {
  it('an edit is found where it was made, and nowhere else', () => {
    let edited = 0;
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 9 }), (seed, pageSize) => {
        const random = seededRandom(seed);
        const ledger = makeLedger(counts, random);
        const made = edit(name, ledger, random);
        if (!made) return;
        edited += 1;
        const places = placesOf(check(ledger, pageSize));
        expect(places.length).toBeGreaterThan(0);
        for (const place of places) expect(made.places).toContain(place);
        if (name === 'swap') expect(places.sort()).toEqual([...made.places].sort());
      }),
      { numRuns: 40 },
    );
    expect(edited).toBeGreaterThan(10);
  });

  it('an edit is found without the lines too, unless it is one of them', () => {
    if (name.startsWith('line ')) return;
    for (const seed of seeds) {
      const random = seededRandom(seed);
      const ledger = makeLedger(counts, random);
      const made = edit(name, ledger, random);
      if (!made) continue;
      const places = placesOf(check(ledger, 4, false));
      expect(places.some((place) => made.places.includes(place))).toBe(true);
      // What follows a swapped entry follows another one.
      expect(places.length).toBeLessThanOrEqual(2 * made.places.length);
    }
  });
});
