import { afterAll, beforeAll, expect, it } from 'vitest';

import type { LedgerFinding } from '../../core/ledger-check/index.ts';
import { edit, editNames, placeOf } from '../support/ledger/ledger-edits.ts';
import { makeLedger, seededRandom, type Ledger } from '../support/ledger/ledger-rows.ts';
import { writeLedger } from '../support/ledger/write-ledger.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres/database.ts';
import { openLines } from '../../daemon/statement/verify/store.ts';
import { withSnapshots } from '../../daemon/platform/db/db.ts';
import { verifyLedger, type VerifyPart } from '../../daemon/wallet/verify/pass.ts';

let dbs: { wallet: TestDatabase; statement: TestDatabase };
beforeAll(async () => {
  dbs = {
    wallet: await createTestDatabase('wallet'),
    statement: await createTestDatabase('statement'),
  };
});
afterAll(async () => {
  await dbs.wallet.drop();
  await dbs.statement.drop();
});

type Found = { findings: LedgerFinding[]; wallets: number; transactions: number };

/** What is found, by several readers with small pages; a missing line is a finding at once. */
async function verify(walletId?: string): Promise<Found> {
  const found: Found = { findings: [], wallets: 0, transactions: 0 };
  const onPart = (part: VerifyPart): void => {
    found.findings.push(...part.findings);
    for (const place of part.missing) {
      found.findings.push({ ...place, kind: 'line_missing', detail: '' });
    }
    found.wallets += part.wallets;
    found.transactions += part.transactions;
  };
  const size = { bytes: 4_096, rows: 7 };
  const readers = 3;
  await withSnapshots(dbs.statement.db, readers, (txs) =>
    verifyLedger({
      ...{ db: dbs.wallet.db, walletId, readers, size, onPart },
      lines: txs.map((tx) => (span, pageSize) => openLines(tx, span, pageSize)),
    }),
  );
  return found;
}

const counts = Array.from({ length: 30 }, (_, i) => i % 17);
const make = (seed: number): Ledger => makeLedger(counts, seededRandom(seed));

it('a ledger as it was written has no finding, and every row is counted', async () => {
  const ledger = make(1);
  await writeLedger(dbs, ledger);
  const { length: transactions } = ledger.entries;
  expect(await verify()).toEqual({ findings: [], wallets: counts.length, transactions });
  const wallet = ledger.wallets.find(({ seq }) => seq > 5);
  const one = { findings: [], wallets: 1, transactions: wallet?.seq };
  expect(await verify(wallet?.id)).toEqual(one);
});

it('40 random edits in the databases are each found where they were made', async () => {
  const random = seededRandom(7);
  for (let n = 0; n < 40; n += 1) {
    const ledger = make(n);
    const ids = new Map(ledger.entries.map((e) => [placeOf(e.wallet_id, e.seq), e.id]));
    const parents = new Map(ledger.entries.map((e) => [placeOf(e.wallet_id, e.seq), e.parent_id]));
    const name = editNames[n % editNames.length] ?? '';
    const made = edit(name, ledger, random);
    if (!made) throw new Error(`no row for the edit ${name}`);
    await writeLedger(dbs, ledger);
    const { findings } = await verify();
    const places = findings.map(({ walletId, seq }) => placeOf(walletId, seq));
    expect(made.places, name).toEqual(expect.arrayContaining(places.slice(0, 1)));
    // An undo of what was edited has another parent now.
    const edited = new Set(made.places.map((place) => ids.get(place)));
    const others = places.filter((place) => !made.places.includes(place));
    for (const place of others) expect(edited, `${name}: ${place}`).toContain(parents.get(place));
  }
});

it('an undo of an unknown, a wrong or an undone parent is found', async () => {
  const ledger = make(3);
  await writeLedger(dbs, ledger);
  const undo = ledger.entries.find((entry) => entry.parent_id !== null);
  const parent = ledger.entries.find(({ id }) => id === undo?.parent_id);
  if (!undo || !parent) throw new Error('there is no undo');
  const at = { walletId: undo.wallet_id, seq: BigInt(undo.seq) };
  await dbs.wallet.query('UPDATE transactions SET operation = 5 WHERE id = $1', [parent.id]);
  expect((await verify()).findings).toContainEqual(
    expect.objectContaining({ ...at, kind: 'parent' }),
  );
  await writeLedger(dbs, ledger);
  await dbs.wallet.query('UPDATE transactions SET amount = amount * 2 WHERE id = $1', [parent.id]);
  expect((await verify()).findings).toContainEqual(
    expect.objectContaining({ ...at, kind: 'undo' }),
  );
});

it('rows of the outbox that name entries which do not exist are found', async () => {
  const ledger = make(2);
  await writeLedger(dbs, ledger);
  const [entry] = ledger.entries;
  if (!entry) throw new Error('there is no entry');
  const refs = `${entry.wallet_id} ${entry.seq}\n${entry.wallet_id} 900\nnonsense\n`;
  const insert = 'INSERT INTO outbox (entry_refs, event_count) VALUES ($1, 3)';
  await dbs.wallet.query(insert, [refs]);
  const { findings } = await verify();
  const walletId = entry.wallet_id;
  expect(findings).toHaveLength(2);
  expect(findings).toContainEqual(expect.objectContaining({ walletId, seq: 900n, kind: 'outbox' }));
});

it('what is committed while it reads is not in the snapshot', async () => {
  const ledger = make(5);
  await writeLedger(dbs, ledger);
  const walletId = ledger.wallets.find(({ seq }) => seq > 5)?.id;
  let isChanged = false;
  const findings: LedgerFinding[] = [];
  await verifyLedger({
    ...{ db: dbs.wallet.db, walletId, readers: 1, size: { bytes: 1_000, rows: 1 } },
    onPart: async (part) => {
      findings.push(...part.findings);
      if (isChanged) return;
      isChanged = true;
      await dbs.wallet.query('DELETE FROM transactions WHERE wallet_id = $1', [walletId]);
    },
  });
  expect(findings).toEqual([]);
  expect((await verify(walletId)).findings).not.toEqual([]);
});
