import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, it, vi } from 'vitest';

import { expectedGenesis, expectedHash, type LedgerRow } from '../../support/ledger/chain.ts';
import { queryService } from '../../support/ledger/ledger.ts';
import { createWorld, expectCode, type Person, type World } from '../../support/processes/world.ts';

let world: World;
let ana: Person;
let bia: Person;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  ana = await world.customer('ana');
  bia = await world.customer('bia');
  for (const amount of ['20.00', '30.00', '40.00']) {
    await ana.json(['deposit', amount, '--yes', '--new-key']);
  }
  await bia.json(['deposit', '5.00', '--yes']);
});
afterAll(() => world.dispose());

const path = (name: string): string => join(world.folder, name);
const ask = <Row extends object>(service: string, text: string, values: unknown[] = []) =>
  queryService<Row & Record<string, unknown>>(world.dataDir, service, text, values);

/** Another description of the first entry in both databases, and all hashes that follow from it. */
async function rewriteHistory(walletId: string): Promise<void> {
  const [wallet] = await ask<{ user_id: string; currency: string }>(
    'wallet',
    'SELECT user_id, currency FROM wallets WHERE id = $1',
    [walletId],
  );
  const rows = await ask<LedgerRow>(
    'wallet',
    `SELECT *, (extract(epoch FROM occurred_at) * 1000)::bigint AS at_ms FROM transactions
     WHERE wallet_id = $1 ORDER BY seq`,
    [walletId],
  );
  let hash = expectedGenesis(walletId, wallet!.user_id, wallet!.currency);
  for (const row of rows) {
    const description = row.seq === '1' ? 'another text' : row.description;
    const previous = Buffer.from(hash, 'hex');
    hash = expectedHash(hash, { ...row, description });
    const values = [walletId, row.seq, description, Buffer.from(hash, 'hex')];
    const where = 'WHERE wallet_id = $1 AND seq = $2';
    await ask('wallet', `UPDATE transactions SET description = $3, hash = $4 ${where}`, values);
    await ask(
      'statement',
      `UPDATE statement_lines SET description = $3, hash = $4, previous_hash = $5 ${where}`,
      [...values, previous],
    );
  }
  await ask('wallet', 'UPDATE wallets SET last_hash = $2 WHERE id = $1', [
    ...[walletId, Buffer.from(hash, 'hex')],
  ]);
}

it('an exported checkpoint finds a history that was rewritten in both databases', async () => {
  expectCode(await ana.run(['balance']), 0);
  const taken = await world.walletd(['checkpoint']);
  expectCode(taken, 0);
  const number = /checkpoint (\d+) taken, of 2 wallets/.exec(taken.stderr)?.[1] ?? '';
  expect((await world.walletd(['checkpoint', 'list'])).stdout).toContain(`${number}\t`);
  const [file, key] = [path('checkpoint.txt'), path('checkpoint.pub')];
  expectCode(await world.walletd(['checkpoint', 'export', number, '--out', file]), 0);
  // An export is evidence: it is not overwritten.
  expectCode(await world.walletd(['checkpoint', 'export', number, '--out', file]), 1);
  writeFileSync(key, (await world.walletd(['checkpoint', 'key'])).stdout);
  const against = ['verify', '--json', '--against', file];

  await ana.json(['deposit', '1.00', '--yes', '--new-key']);
  // Its line may still be on its way.
  const clean = await vi.waitFor(async () => {
    const done = await world.walletd([...against, '--key', key]);
    expectCode(done, 0);
    return done;
  }, 30_000);
  expect(clean.stderr).toContain(`compared with checkpoint ${number}`);
  expect(clean.stdout).toBe('');
  expect((await world.walletd(against)).stderr).toContain('name yours with --key');

  const [{ id } = { id: '' }] = await ask<{ id: string }>(
    'wallet',
    'SELECT id FROM wallets WHERE seq = 4',
  );
  await rewriteHistory(id);
  // The chain is valid again, and both databases agree.
  expectCode(await world.walletd(['verify']), 0);
  const found = await world.walletd([...against, '--key', key]);
  expectCode(found, 1);
  const findings = found.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as object);
  expect(findings).toMatchObject([{ wallet: id, seq: 3, kind: 'rewritten' }]);

  // With the rewritten hash in the export, its root is no longer the one that was signed.
  const [{ hash } = { hash: '' }] = await ask<{ hash: string }>(
    'wallet',
    "SELECT encode(hash, 'hex') AS hash FROM transactions WHERE wallet_id = $1 AND seq = 3",
    [id],
  );
  const forged = path('forged.txt');
  const text = readFileSync(file, 'utf8');
  writeFileSync(forged, text.replace(new RegExp(`^(${id} 3) .*$`, 'm'), `$1 ${hash}`));
  const refused = await world.walletd(['verify', '--against', forged, '--key', key]);
  expectCode(refused, 1);
  expect(refused.stderr).toContain('do not have the root that was signed');
  writeFileSync(forged, text.replace(/^time .*$/m, 'time 2020-01-01T00:00:00.000Z'));
  expect((await world.walletd(['verify', '--against', forged, '--key', key])).stderr).toContain(
    'signature of the checkpoint is not valid',
  );
});
