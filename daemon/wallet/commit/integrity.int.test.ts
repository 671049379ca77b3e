import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { brlWalletOf, buildCommand } from '../../../tests/support/ledger/build-command.ts';
import type { Db } from '../../platform/db/db.ts';
import { createOptimisticCommit, type Alarms } from './optimistic-commit.ts';
import type { Command, WalletRef } from '../domain.ts';
import { decideOnly } from '../rpc/dry-run.ts';
import { createWalletCache } from '../store/wallet-cache.ts';
import { readNow, readAtWatermark } from '../store/read-wallet.ts';

let test: TestDatabase;
let userId: string;
let wallet: WalletRef;
let corrupt: string[];
let lost: string[];
let alarms: Alarms;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  userId = randomUUID();
  wallet = brlWalletOf(userId);
  corrupt = [];
  lost = [];
  alarms = {
    onCorrupt: (walletId) => void corrupt.push(walletId),
    onLostCommits: ({ id }) => void lost.push(id),
  };
});

afterEach(async () => {
  await test.drop();
});

const command = (fields: Partial<Command> = {}): Command => buildCommand(userId, fields);

const refused = { ok: false, rejection: { reason: 'WALLET_CORRUPT' } };
/** What a process that remembers the wallet finds by its row alone, without reading the entry. */
const editsOfRow = {
  'a larger balance': 'UPDATE wallets SET balance = balance + 100000',
  'another hash': "UPDATE wallets SET last_hash = sha256('x')",
  'a row made anew': `UPDATE wallets SET seq = 0, balance = 0`,
};
const edits = {
  ...editsOfRow,
  'an older row': 'UPDATE wallets SET seq = seq - 1',
  'an entry removed': 'DELETE FROM transactions WHERE seq = 2',
  'an entry with another balance': 'UPDATE transactions SET balance_after = 1 WHERE seq = 2',
};

const cases = [
  ...Object.entries(edits).map(([name, edit]) => ({ name, edit, isRemembered: false })),
  ...Object.entries(editsOfRow).map(([name, edit]) => ({ name, edit, isRemembered: true })),
];

describe('edits of the database', () => {
  it.each(cases)('$name is detected (cached: $isRemembered)', async ({ edit, isRemembered }) => {
    const commit = createOptimisticCommit(test.db, createWalletCache(), alarms);
    await commit([command()]);
    await commit([command()]);
    await test.query(edit);
    const next = isRemembered
      ? commit
      : createOptimisticCommit(test.db, createWalletCache(), alarms);
    const spend = command({ operation: 'withdraw', amountMinor: 50n });
    const spendMore = command({ operation: 'withdraw', amountMinor: 5_000n });
    expect(await next([spendMore])).toMatchObject([refused]);
    expect(await next([spend])).toMatchObject([refused]);
    expect(await next([command()], 'skip')).toMatchObject([refused]);
    expect(new Set(corrupt)).toEqual(new Set([wallet.id]));
    expect(await readNow(test.db, wallet)).toMatchObject(refused);
    expect(await readAtWatermark(test.db, wallet)).toMatchObject(refused);
    expect(await decideOnly(test.db, spend)).toMatchObject(refused);
  });
});

describe('lost commits', () => {
  const outages = { 'at once': 0, 'after an outage in which commits failed': 3 };

  it.each(Object.entries(outages))('lost commits raise an alarm %s', async (_n, failures) => {
    let isOut = false;
    const lostConnection = Object.assign(new Error('connection lost'), { code: 'ECONNRESET' });
    const db: Db = {
      ...test.db,
      tx: (work) => (isOut ? Promise.reject(lostConnection) : test.db.tx(work)),
    };
    const commit = createOptimisticCommit(db, createWalletCache(), alarms);
    await commit([command()]);
    const [before] = await test.query<object>('SELECT * FROM wallets');
    await commit([command()]);
    isOut = true;
    for (let i = 0; i < failures; i += 1) {
      await expect(commit([command()])).rejects.toThrow('connection lost');
    }
    isOut = false;
    await test.query('DELETE FROM transactions WHERE seq = 2');
    const { seq, balance, last_at, last_hash } = before as Record<string, unknown>;
    await test.query('UPDATE wallets SET seq = $1, balance = $2, last_at = $3, last_hash = $4', [
      seq,
      balance,
      last_at,
      last_hash,
    ]);
    expect(await commit([command()])).toMatchObject([{ ok: true, value: { entry: { seq: 2n } } }]);
    expect(lost).toEqual([wallet.id]);
    expect(corrupt).toEqual([]);
    expect(await commit([command()])).toMatchObject([{ ok: true, value: { entry: { seq: 3n } } }]);
    expect(lost).toEqual([wallet.id]);
  });
});
