import { afterAll, beforeAll, expect, it } from 'vitest';

import type { LedgerFinding } from '../../core/ledger-check/index.ts';
import { edit, editNames, placeOf } from '../support/ledger/ledger-edits.ts';
import { seededRandom, type Ledger } from '../support/ledger/ledger-rows.ts';
import { makeLedger } from '../support/ledger/rows/make-ledger.ts';
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
  // Who edits rows has the rights to remove what refuses it.
  await dropChecks(dbs.wallet);
  await dropChecks(dbs.statement);
});
afterAll(async () => {
  await dbs.wallet.drop();
  await dbs.statement.drop();
});

async function dropChecks({ query }: TestDatabase): Promise<void> {
  const checks = await query<{ name: string; of: string }>(
    `SELECT conname AS name, conrelid::regclass::text AS of FROM pg_constraint
     WHERE contype = 'c' AND connamespace = 'public'::regnamespace`,
  );
  for (const { name, of } of checks) await query(`ALTER TABLE ${of} DROP CONSTRAINT ${name}`);
  await query('DROP INDEX IF EXISTS transactions_uses');
}

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

// All of them are tried without a database in core/ledger-check/.
const needsLookups = (name: string, n: number): boolean =>
  n % 4 === 0 || /forged|parent|used|hold|expiry/.test(name);

it('each kind of edit in the databases is found where it was made', async () => {
  const random = seededRandom(7);
  for (const [n, name] of editNames.filter(needsLookups).entries()) {
    const ledger = make(n);
    const made = edit(name, ledger, random);
    if (!made) throw new Error(`no row for the edit ${name}`);
    await writeLedger(dbs, ledger);
    const { findings } = await verify();
    const places = findings.map(({ walletId, seq }) => placeOf(walletId, seq));
    const others = places.filter((place) => !made.places.includes(place));
    expect(places.length, name).toBeGreaterThan(others.length);
    for (const place of others) expect(made.related, name).toContain(place);
  }
});

it('a transfer without its other side is found in its wallet alone, too', async () => {
  const ledger = make(3);
  const made = edit('forged: one side of a transfer', ledger, seededRandom(3));
  await writeLedger(dbs, ledger);
  const [walletId = ''] = made?.places[0]?.split(' ') ?? [];
  const { findings } = await verify(walletId);
  expect(findings.map(({ walletId: id, seq }) => placeOf(id, seq))).toEqual(made?.places);
  expect(findings.map(({ kind }) => kind)).toEqual(['pair']);
  expect((await verify()).findings).toEqual(findings);
});

it('an undo of an unknown, a wrong or an undone parent is found', async () => {
  const ledger = make(3);
  await writeLedger(dbs, ledger);
  const undo = ledger.entries.find(({ operation }) => operation === 4);
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
