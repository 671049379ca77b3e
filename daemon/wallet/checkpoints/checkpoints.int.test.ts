import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import {
  keyIdOf,
  leafOf,
  parseCheckpoint,
  readPublicKey,
  verifyCheckpoint,
} from '../../../core/checkpoint.ts';
import { walletIdOf } from '../../../core/ids.ts';
import { rootOf, rootOfPath } from '../../../core/merkle.ts';
import { buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { createTestDatabase } from '../../../tests/support/postgres/database.ts';
import { readClock } from '../../platform/db/db.ts';
import { createLog } from '../../platform/log.ts';
import { unwatched } from '../../platform/progress/watch.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import { findAnchor } from './anchor.ts';
import { createCheckpoints } from './job.ts';
import { takeCheckpoint } from './take.ts';
import { createCheckpointLedger, createSigner, type CheckpointLedger } from './test-support.ts';

let ledger: CheckpointLedger;
let test: CheckpointLedger['test'];
let users: readonly string[];
let signer: CheckpointLedger['signer'];

beforeEach(async () => {
  ledger = await createCheckpointLedger();
  ({ test, users, signer } = ledger);
});
afterEach(() => test.drop());

const deposit: CheckpointLedger['deposit'] = (...given) => ledger.deposit(...given);
const take: CheckpointLedger['take'] = (...given) => ledger.take(...given);
const exportText: CheckpointLedger['exportText'] = (...given) => ledger.exportText(...given);
const compare: CheckpointLedger['compare'] = (...given) => ledger.compare(...given);

type WalletRow = { id: string; seq: string; hash: string };
const readWallets = () =>
  test.query<WalletRow>(
    "SELECT id, seq, encode(last_hash, 'hex') AS hash FROM wallets ORDER BY id",
  );
const leafHashesOf = (rows: readonly WalletRow[]) =>
  rows.map(({ id, seq, hash }) => leafOf(id, BigInt(seq), hash));
const countLeaves = async (number: bigint) =>
  (await test.query('SELECT 1 FROM checkpoint_leaves WHERE number = $1', [number])).length;

describe('taking', () => {
  it('a checkpoint has the signed root of all wallets, and is announced by an event', async () => {
    await test.query('DELETE FROM outbox');
    const { text, signature, size, number, root } = await take();
    const rows = await readWallets();
    expect(parseCheckpoint(text)).toMatchObject({
      ...{ number: 1n, size: 5n, transactions: 15n, previousRoot: undefined },
      root: rootOf(leafHashesOf(rows)).toString('hex'),
      keyId: keyIdOf(signer.publicKey),
    });
    expect([number, size]).toEqual([1n, 5n]);
    expect(verifyCheckpoint(text, signature, signer.publicKey)).toBe(true);
    const [row] = await test.query<{ events: object[] }>('SELECT events FROM outbox');
    expect(row?.events).toMatchObject([
      {
        routingKey: 'ledger.checkpoint',
        body: {
          pattern: 'ledger_checkpoint',
          data: { text, signature, root: root.toString('hex') },
        },
      },
    ]);
  });

  it('a later checkpoint stores the leaves that changed, and names the root before', async () => {
    const first = await take();
    await deposit(users[0]!);
    const newcomer = randomUUID();
    await deposit(newcomer);
    const second = await take();
    expect(await countLeaves(1n)).toBe(5);
    expect(await countLeaves(2n)).toBe(2);
    expect(parseCheckpoint(second.text)).toMatchObject({
      ...{ number: 2n, size: 6n, transactions: 17n, origin: first.origin },
      previousRoot: first.root.toString('hex'),
    });
    expect(second.root).toEqual(rootOf(leafHashesOf(await readWallets())));
    const third = await take();
    expect(await countLeaves(3n)).toBe(0);
    expect(third.root).toEqual(second.root);
  });

  it('an empty ledger has a checkpoint', async () => {
    const empty = await createTestDatabase('wallet');
    expect(await takeCheckpoint(empty.db, signer)).toMatchObject({ number: 1n, size: 0n });
    await empty.drop();
  });

  it('while commits go on a checkpoint is one moment of the ledger', async () => {
    let isOver = false;
    const load = Promise.all(
      users.map(async (user) => {
        while (!isOver) await deposit(user, 5);
      }),
    );
    for (let i = 0; i < 5; i += 1) {
      const { number, text } = await take();
      // A commit has five of one wallet: a leaf within one was never the wallet's last.
      const rows = await test.query<{ seq: string }>(
        'SELECT DISTINCT ON (wallet_id) seq FROM checkpoint_leaves WHERE number <= $1 ORDER BY wallet_id, number DESC',
        [number],
      );
      const seqs = rows.map(({ seq }) => BigInt(seq));
      expect(seqs.every((seq) => (seq - 3n) % 5n === 0n)).toBe(true);
      const total = seqs.reduce((sum, seq) => sum + seq, 0n);
      expect(parseCheckpoint(text)?.transactions).toBe(total);
    }
    isOver = true;
    await load;
    expect(await compare(await exportText(5n))).toEqual([]);
  });

  it('nothing from before the time of a checkpoint is missing from it', async () => {
    let isOver = false;
    const load = Promise.all(
      users.map(async (user) => {
        while (!isOver) await deposit(user);
      }),
    );
    const taken = [];
    for (let i = 0; i < 20; i += 1) taken.push(await take());
    isOver = true;
    await load;
    for (const { number, takenAtMs } of taken) {
      const missing = await test.query(
        `SELECT seq FROM transactions t WHERE occurred_at < $2 AND seq > coalesce(
           (SELECT seq FROM checkpoint_leaves WHERE wallet_id = t.wallet_id AND number <= $1
            ORDER BY number DESC LIMIT 1), 0)`,
        [number, new Date(takenAtMs).toISOString()],
      );
      expect(missing).toEqual([]);
    }
  });

  it('a commit in progress has read its clock after the time of a checkpoint', async () => {
    const whileOpen = await test.db.tx(async (tx) => {
      const clockMs = await readClock(tx);
      await sleep(20);
      return { clockMs, ...(await take()) };
    });
    expect(whileOpen.takenAtMs).toBeLessThanOrEqual(whileOpen.clockMs);
    expect((await take()).takenAtMs).toBeGreaterThan(whileOpen.clockMs);
  });

  it('of several processes one takes each checkpoint', async () => {
    const taken = await Promise.all(
      Array.from({ length: 8 }, () => takeCheckpoint(test.db, signer)),
    );
    expect(taken.filter(Boolean).length).toBeGreaterThanOrEqual(1);
    const numbers = taken.flatMap((each) => (each ? [each.number] : []));
    expect(new Set(numbers).size).toBe(numbers.length);
    const rows = await test.query('SELECT 1 FROM checkpoints');
    expect(rows).toHaveLength(numbers.length);
  });

  it('two daemons take one checkpoint when it is due, and none before', async () => {
    const options = { db: test.db, signer, file: undefined, watch: unwatched };
    const daemons = [1, 2].map(() =>
      createCheckpoints({ ...options, everyMs: 3_600_000, log: createLog('silent') }),
    );
    for (const daemon of daemons) daemon.start();
    const count = async () => (await test.query('SELECT 1 FROM checkpoints')).length;
    await vi.waitFor(async () => expect(await count()).toBe(1), { timeout: 10_000 });
    for (const daemon of daemons) await daemon.stop();
    const late = createCheckpoints({ ...options, everyMs: 3_600_000, log: createLog('silent') });
    late.start();
    await late.stop();
    expect(await count()).toBe(1);
  });

  it('the role of the daemon can neither change nor delete a checkpoint', async () => {
    await take();
    for (const table of ['checkpoints', 'checkpoint_leaves', 'checkpoint_keys']) {
      const [row] = await test.query<{ may: boolean }>(
        `SELECT has_table_privilege('wallet_app', $1, 'UPDATE')
           OR has_table_privilege('wallet_app', $1, 'DELETE') AS may`,
        [table],
      );
      expect(row?.may).toBe(false);
    }
  });

  it('after a change of keys the earlier public key is kept', async () => {
    await take();
    const other = createSigner();
    await take(other);
    const rows = await test.query<{ key_id: string; public_key: string }>(
      'SELECT * FROM checkpoint_keys',
    );
    expect(rows).toHaveLength(2);
    for (const { key_id: id, public_key: pem } of rows) {
      const key = readPublicKey(pem);
      expect(key && keyIdOf(key)).toBe(id);
    }
  });
});

describe('paths', () => {
  it('each wallet has a path in the first checkpoint that has its entry', async () => {
    await take();
    for (const user of users) await deposit(user);
    const second = await take();
    await take();
    for (const user of users) {
      const id = walletIdOf(user, 'BRL');
      const anchor = await findAnchor(test.db, id, 4n, 0);
      expect(anchor?.checkpoint.number).toBe(2n);
      const { leaf } = anchor!;
      expect(leaf.seq).toBe(4n);
      const hash = leafOf(id, leaf.seq, leaf.hash);
      expect(rootOfPath(hash, leaf.index, second.size, leaf.path)).toEqual(second.root);
    }
  });

  it('with thousands of wallets a path goes through the blocks', async () => {
    const many = Array.from({ length: 9_000 }, () => randomUUID());
    for (let at = 0; at < many.length; at += 1_000) {
      const commands = many.slice(at, at + 1_000).map((user) => buildCommand(user));
      await createOptimisticCommit(test.db)(commands);
    }
    const { size, root } = await take();
    expect(root).toEqual(rootOf(leafHashesOf(await readWallets())));
    for (const user of [many[0]!, many[5_000]!, many[8_999]!, users[0]!]) {
      const id = walletIdOf(user, 'BRL');
      const { leaf } = (await findAnchor(test.db, id, 1n, 0))!;
      const hash = leafOf(id, leaf.seq, leaf.hash);
      expect(rootOfPath(hash, leaf.index, size, leaf.path)).toEqual(root);
    }
  }, 60_000);

  it('no checkpoint has what was committed since, nor a time that has not come', async () => {
    const { takenAtMs } = await take();
    await deposit(users[0]!);
    const id = walletIdOf(users[0]!, 'BRL');
    expect(await findAnchor(test.db, id, 4n, 0)).toBeUndefined();
    expect(await findAnchor(test.db, id, 3n, takenAtMs + 1)).toBeUndefined();
    expect(await findAnchor(test.db, walletIdOf(randomUUID(), 'BRL'), 0n, 0)).toBeUndefined();
  });
});
