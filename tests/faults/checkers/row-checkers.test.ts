import { describe, expect, it } from 'vitest';

import type { EntryRow, FinalRows } from '../../support/ledger/final-rows.ts';
import { checkBalances } from './balances.ts';
import { checkConservation } from './conservation.ts';
import { checkFloors } from './floors.ts';
import { checkHashChain } from './hash-chain.ts';
import { checkSequences } from './sequences.ts';
import { emptyHistory, makeGoodRun, walletIds } from './simulated/good-run.ts';
import { toFinalRows } from './simulated/rows.ts';
import { checkUndos } from './undos.ts';
import { formatViolation, type Checker } from './violation.ts';

const { rows } = makeGoodRun();
const [walletId] = walletIds;

/** What a checker finds once one entry of the first wallet was changed, and nothing else. */
const withEntry = (seq: number, change: Partial<EntryRow>): FinalRows => ({
  ...rows,
  entries: rows.entries.map((entry) =>
    entry.wallet_id === walletId && entry.seq === String(seq) ? { ...entry, ...change } : entry,
  ),
});
const withWallet = (change: Partial<FinalRows['wallets'][number]>): FinalRows => ({
  ...rows,
  wallets: rows.wallets.map((wallet) =>
    wallet.id === walletId ? { ...wallet, ...change } : wallet,
  ),
});
/** Entries of the first wallet in another order or number, with the hashes that belong to it. */
const chained = (change: (entries: readonly EntryRow[]) => readonly EntryRow[]): FinalRows =>
  toFinalRows([
    ...change(rows.entries.filter((entry) => entry.wallet_id === walletId)),
    ...rows.entries.filter((entry) => entry.wallet_id !== walletId),
  ]);

const find = (check: Checker, of: FinalRows): string[] =>
  check(emptyHistory, of).map((violation) =>
    formatViolation(violation).replaceAll(walletId, 'wallet'),
  );

describe('checkers of rows', () => {
  it.each([
    ['conservation', checkConservation],
    ['floors', checkFloors],
    ['balances', checkBalances],
    ['sequences', checkSequences],
    ['hash chain', checkHashChain],
    ['undos', checkUndos],
  ])('%s: a good ledger has no violation', (_name, check) => {
    expect(find(check, rows)).toEqual([]);
    expect(find(check, toFinalRows([]))).toEqual([]);
  });
});

describe('conservation', () => {
  it('a balance that no contra account stands against is found', () => {
    expect(find(checkConservation, withWallet({ balance: '701' }))).toEqual([
      'conservation: BRL: all balances are 751, all contra accounts -750',
    ]);
  });

  it('a balance without any entry is found', () => {
    const wallets = [...rows.wallets, { id: 'new', balance: '5', seq: '0', last_hash: '' }];
    expect(find(checkConservation, { ...rows, wallets })).toEqual([
      'conservation: : all balances are 5, all contra accounts 0',
    ]);
  });

  it('a transaction between wallets that creates money is found', () => {
    const [first, ...others] = rows.entries;
    const own = [
      { ...first!, contra_account: 'user:b', id: 'transfer', amount: '-10' },
      { ...first!, contra_account: 'user:a', id: 'transfer', amount: '11' },
    ];
    expect(find(checkConservation, { ...rows, entries: [...others, ...own] })).toContain(
      'conservation: transaction transfer: its entries add up to 1',
    );
  });
});

describe('floors', () => {
  it('a balance below 0 is found after an entry and in the wallet', () => {
    expect(find(checkFloors, withEntry(2, { balance_after: '-1' }))).toEqual([
      'floors: wallet seq 2: the balance is -1',
    ]);
    expect(find(checkFloors, withWallet({ balance: '-700' }))).toEqual([
      'floors: wallet seq 4: the balance is -700',
    ]);
  });
});

describe('balances', () => {
  it('a balance that is not the sum of the entries is found', () => {
    expect(find(checkBalances, withEntry(2, { balance_after: '701' }))).toEqual([
      'balances: wallet seq 2: the balance is 701, the entries add up to 700',
    ]);
    expect(find(checkBalances, withWallet({ balance: '500' }))).toEqual([
      'balances: wallet: the wallet has 500, its entries add up to 700',
    ]);
  });

  it('entries without a wallet are found', () => {
    const wallets = rows.wallets.filter(({ id }) => id !== walletId);
    expect(find(checkBalances, { ...rows, wallets })).toEqual([
      'balances: wallet: has entries and no row of its own',
    ]);
  });
});

describe('sequences', () => {
  it('a gap, a number that comes twice and a cut tail are found', () => {
    const without = { ...rows, entries: rows.entries.filter(({ seq }) => seq !== '2') };
    expect(find(checkSequences, without)).toEqual(['sequences: wallet seq 3: follows 1']);
    expect(find(checkSequences, withEntry(3, { seq: '2' }))).toEqual([
      'sequences: wallet seq 2: follows 2',
      'sequences: wallet seq 4: follows 2',
    ]);
    const cut = { ...rows, entries: rows.entries.filter(({ seq }) => seq !== '4') };
    expect(find(checkSequences, cut)).toEqual(['sequences: wallet seq 4: the last entry is 3']);
  });
});

describe('hash chain', () => {
  it.each<[string, Partial<EntryRow>]>([
    ['amount', { amount: '-301' }],
    ['description', { description: '' }],
    ['metadata', { metadata: { order: '1' } }],
    ['time', { at_ms: '1' }],
    ['actor', { actor: 'other' }],
  ])('a changed %s is found where it was changed', (_name, change) => {
    expect(find(checkHashChain, withEntry(2, change))).toEqual([
      'hash chain: wallet seq 2: another hash',
    ]);
  });

  it('a changed hash is found, and that the next entry does not follow it', () => {
    expect(find(checkHashChain, withEntry(2, { hash: '0'.repeat(64) }))).toEqual([
      'hash chain: wallet seq 2: another hash',
      'hash chain: wallet seq 3: another hash',
    ]);
  });

  it('a wallet that does not have the last hash is found', () => {
    expect(find(checkHashChain, withWallet({ last_hash: '0'.repeat(64) }))).toEqual([
      'hash chain: wallet seq 4: the wallet has another hash than its last entry',
    ]);
  });
});

describe('undos', () => {
  const undoId = rows.entries.find(({ seq }) => seq === '4')?.id;

  it('a second undo of one transaction is found', () => {
    const twice = chained((entries) => [...entries, { ...entries[3]!, id: 'again' }]);
    expect(find(checkUndos, twice)).toEqual([
      expect.stringMatching(/^undos: wallet seq 5: .* of which 200 of 200 were used$/),
    ]);
  });

  it('parts of a transaction are contiguous, and more than is left is found', () => {
    const parts = (last: string, place: string | null) =>
      chained(([a, b, c, d]) => [
        ...[a!, b!, c!, { ...d!, amount: '150' }],
        { ...d!, id: 'rest', amount: last, parent_used: place },
      ]);
    expect(find(checkUndos, parts('50', '150'))).toEqual([]);
    expect(find(checkUndos, parts('51', '150'))).toHaveLength(1);
    for (const place of [null, '149', '151']) {
      expect(find(checkUndos, parts('20', place))).toEqual([
        `undos: wallet seq 5: says ${place} were used, not 150`,
      ]);
    }
  });

  it('an undo before its parent, of another sign or account, or of an undo is found', () => {
    const early = chained(([a, b, c, d]) => [a!, b!, d!, c!]);
    expect(find(checkUndos, early)).toEqual([
      expect.stringMatching(/^undos: wallet seq 3: undoes .*, which is not there before it$/),
    ]);
    for (const change of [{ amount: '-199' }, { contra_account: 'external:cash' }]) {
      expect(find(checkUndos, withEntry(4, change))).toEqual([
        'undos: wallet seq 4: is not the opposite of seq 3',
      ]);
    }
    const ofUndo = chained((entries) => [
      ...entries,
      { ...entries[3]!, id: 'again', parent_id: undoId!, amount: '-200' },
    ]);
    expect(find(checkUndos, ofUndo)).toEqual([
      'undos: wallet seq 5: operation 4 undoes operation 4',
    ]);
    expect(find(checkUndos, withEntry(1, { parent_id: 'x' }))).toEqual([
      'undos: wallet seq 1: is no undo, and has the parent x',
    ]);
    const cancelled = withEntry(4, { operation: 5, parent_id: rows.entries[0]!.id });
    expect(find(checkUndos, cancelled)).toHaveLength(1);
  });
});
