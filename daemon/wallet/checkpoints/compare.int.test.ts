import { Readable } from 'node:stream';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import {
  expectedGenesis,
  expectedHash,
  type LedgerRow,
} from '../../../tests/support/ledger/chain.ts';
import { readExport } from './read-export.ts';
import { createCheckpointLedger, type CheckpointLedger } from './test-support.ts';

let ledger: CheckpointLedger;
let test: CheckpointLedger['test'];
let users: readonly string[];

beforeEach(async () => {
  ledger = await createCheckpointLedger();
  ({ test, users } = ledger);
});
afterEach(() => test.drop());

const deposit: CheckpointLedger['deposit'] = (...given) => ledger.deposit(...given);
const take: CheckpointLedger['take'] = (...given) => ledger.take(...given);
const exportText: CheckpointLedger['exportText'] = (...given) => ledger.exportText(...given);
const compare: CheckpointLedger['compare'] = (...given) => ledger.compare(...given);

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
