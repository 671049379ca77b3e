import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Readable } from 'node:stream';

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
import {
  expectedGenesis,
  expectedHash,
  type LedgerRow,
} from '../../../tests/support/ledger/chain.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createLog } from '../../platform/log.ts';
import { unwatched } from '../../platform/progress/watch.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import { findAnchor } from './anchor.ts';
import { compareCheckpoint, type CheckpointFinding } from './compare.ts';
import { exportCheckpoint } from './export.ts';
import { createCheckpoints } from './job.ts';
import { readExport } from './read-export.ts';
import type { StoredCheckpoint } from './store.ts';
import { takeCheckpoint, type Signer } from './take.ts';

let test: TestDatabase;
let signer: Signer;
let users: string[];

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  signer = createSigner();
  users = Array.from({ length: 5 }, () => randomUUID());
  for (const user of users) await deposit(user, 3);
});
afterEach(() => test.drop());

function createSigner(): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return { key: privateKey, publicKey };
}

async function deposit(user: string, count = 1): Promise<void> {
  await createOptimisticCommit(test.db)(Array.from({ length: count }, () => buildCommand(user)));
}

async function take(by: Signer = signer): Promise<StoredCheckpoint> {
  const taken = await takeCheckpoint(test.db, by);
  if (!taken) throw new Error('no checkpoint was taken');
  return taken;
}

async function exportText(number: bigint): Promise<string> {
  const parts = await exportCheckpoint(test.db, number);
  if (!parts) throw new Error(`there is no checkpoint ${number}`);
  let text = '';
  for await (const part of parts) text += part;
  return text;
}

async function compare(text: string): Promise<CheckpointFinding[]> {
  const read = await readExport(Readable.from([text]));
  if (!read.ok) throw new Error(read.rejection.message);
  const findings: CheckpointFinding[] = [];
  for await (const page of compareCheckpoint(test.db, read.value.leaves)) {
    findings.push(...page.findings);
  }
  return findings;
}

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

describe('comparison with an export', () => {
  const edit = async (text: string, ...values: unknown[]) => {
    await test.query(text, values);
  };

  it('the ledger agrees with an export, also after further transactions', async () => {
    await take();
    await deposit(users[0]!);
    expect(await compare(await exportText(1n))).toEqual([]);
  });

  it('the export of an old checkpoint has the leaves of that time', async () => {
    await take();
    const before = await exportText(1n);
    await deposit(users[0]!, 2);
    await take();
    expect(await exportText(1n)).toBe(before);
    expect(await exportText(2n)).not.toBe(before);
  });

  it('a history that was rewritten with matching hashes is found at its wallet', async () => {
    await take();
    const text = await exportText(1n);
    const id = walletIdOf(users[2]!, 'BRL');
    await rewriteFrom(id, users[2]!);
    expect(await compare(text)).toEqual([
      expect.objectContaining({ wallet: id, seq: 3n, kind: 'rewritten' }),
    ]);
  });

  it('a tail that was cut off, with its wallet put back, is found', async () => {
    await take();
    const text = await exportText(1n);
    const id = walletIdOf(users[1]!, 'BRL');
    await edit('DELETE FROM transactions WHERE wallet_id = $1 AND seq = 3', id);
    await edit(
      `UPDATE wallets SET seq = 2, balance = t.balance_after, last_hash = t.hash
       FROM transactions t WHERE wallets.id = $1 AND t.wallet_id = $1 AND t.seq = 2`,
      id,
    );
    expect(await compare(text)).toEqual([
      expect.objectContaining({ wallet: id, seq: 3n, kind: 'cut_tail' }),
    ]);
  });

  it('a wallet that was removed whole is found', async () => {
    await take();
    const text = await exportText(1n);
    const id = walletIdOf(users[4]!, 'BRL');
    await edit('DELETE FROM transactions WHERE wallet_id = $1', id);
    await edit('DELETE FROM wallets WHERE id = $1', id);
    expect(await compare(text)).toEqual([
      expect.objectContaining({ wallet: id, kind: 'missing_wallet' }),
    ]);
  });

  it.each([
    ['a leaf removed', (text: string) => text.replace(/^\S{36} 3 \S{64}\n/m, '')],
    ['a changed seq', (text: string) => text.replace(/^(\S{36}) 3 /m, '$1 2 ')],
    ['a line that is none', (text: string) => `${text}no leaf\n`],
    ['its leaves in another order', reverseLeaves],
  ])('an export with %s is refused', async (_what, change) => {
    await take();
    const text = await exportText(1n);
    const changed = change(text);
    expect(changed).not.toBe(text);
    await expect(compare(changed)).rejects.toThrow(/leaves|leaf/);
  });

  it.each(['', 'no checkpoint\n', 'x'.repeat(100_000), '\n'.repeat(100)])(
    'another file is no export: %#',
    async (text) => {
      expect(await readExport(Readable.from([text]))).toMatchObject({ ok: false });
    },
  );
});

function reverseLeaves(text: string): string {
  const [head = '', leaves = ''] = text.split('\n\n');
  return `${head}\n\n${leaves.trimEnd().split('\n').reverse().join('\n')}\n`;
}

/** Another description of the first entry, with all hashes that follow from it. */
async function rewriteFrom(walletId: string, user: string): Promise<void> {
  const rows = await test.query<LedgerRow>(
    `SELECT *, (extract(epoch FROM occurred_at) * 1000)::bigint AS at_ms FROM transactions
     WHERE wallet_id = $1 ORDER BY seq`,
    [walletId],
  );
  let previous = expectedGenesis(walletId, user, 'BRL');
  for (const row of rows) {
    const description = row.seq === '1' ? 'another text' : row.description;
    previous = expectedHash(previous, { ...row, description });
    await test.query(
      'UPDATE transactions SET description = $3, hash = $4 WHERE wallet_id = $1 AND seq = $2',
      [walletId, row.seq, description, Buffer.from(previous, 'hex')],
    );
  }
  await test.query('UPDATE wallets SET last_hash = $2 WHERE id = $1', [
    walletId,
    Buffer.from(previous, 'hex'),
  ]);
}
