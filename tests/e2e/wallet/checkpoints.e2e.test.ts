import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
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

/** The commands of docs/verification.md that check a signature; those of walletd are run here. */
async function readOpensslCommands(number: string): Promise<string> {
  const blocks = readFileSync('docs/verification.md', 'utf8').match(/(?<=```sh\n)[^`]*(?=```)/g);
  const block = blocks?.find((each) => each.includes('openssl pkeyutl')) ?? '';
  const lines = block
    .replaceAll(/\b12\b/g, number)
    .trimEnd()
    .split('\n');
  for (const line of lines) {
    const [, args = '', file = ''] = /^walletd (.*) > (\S+)$/.exec(line) ?? [];
    if (args === '') continue;
    const done = await world.walletd(args.split(' '));
    expectCode(done, 0);
    writeFileSync(path(file), done.stdout);
  }
  return lines.filter((line) => !line.startsWith('walletd ')).join('\n');
}

it('what checkpoint show prints is checked with openssl as documented', async () => {
  expectCode(await world.walletd(['checkpoint']), 0);
  const [newest = ''] = (await world.walletd(['checkpoint', 'list'])).stdout.split('\t');
  const commands = await readOpensslCommands(newest);
  const shown = readFileSync(path(`checkpoint-${newest}`), 'utf8');
  expect(shown).toMatch(
    new RegExp(`^digital-wallet checkpoint 1\\n(\\w+ \\S+\\n){8}signature \\S{88}\\n$`),
  );
  expect(shown).toContain(`\nnumber ${newest}\n`);
  const run = (script: string) =>
    spawnSync('sh', ['-ec', script], { cwd: world.folder, encoding: 'utf8' });
  const checked = run(commands);
  expect(checked).toMatchObject({ status: 0, stderr: '' });
  expect(checked.stdout).toContain('Signature Verified Successfully');
  const changed = commands.replace('> text', "| sed 's/^wallets 2$/wallets 3/' > text");
  expect(run(changed).status).not.toBe(0);

  expect(await world.walletd(['checkpoint', 'show', '999'])).toMatchObject({
    ...{ code: 1, stdout: '', stderr: expect.stringContaining('no checkpoint 999') as string },
  });
  for (const number of ['0', '-1', '1x', '']) {
    const done = await world.walletd(['checkpoint', 'show', '--', number]);
    expect(done).toMatchObject({ code: 2, stdout: '' });
  }
});

it('verify --against with another key is refused, and with one wallet compares that one', async () => {
  const file = path('whole.txt');
  expectCode(await world.walletd(['checkpoint', 'take', '--export', file]), 0);
  const [key, other] = [path('whole.pub'), path('other.pub')];
  writeFileSync(key, (await world.walletd(['checkpoint', 'key'])).stdout);
  const { publicKey } = generateKeyPairSync('ed25519');
  writeFileSync(other, publicKey.export({ type: 'spki', format: 'pem' }));
  const refused = await world.walletd(['verify', '--against', file, '--key', other]);
  expect(refused).toMatchObject({ code: 1, stdout: '' });
  expect(refused.stderr).toMatch(/is the key \w{16}, and \w{16} has signed/);
  expectCode(await world.walletd(['verify', '--key', key]), 2);

  const [{ id } = { id: '' }] = await ask<{ id: string }>(
    'wallet',
    'SELECT id FROM wallets WHERE seq = 3',
  );
  const against = ['--ledger-only', '--against', file, '--key', key];
  const one = await world.walletd(['verify', '--wallet', id, ...against]);
  expectCode(one, 0);
  expect(one.stderr).toContain('3 transactions of 1 wallets checked');
  expect(one.stderr).toContain('1 wallets compared with checkpoint');
  const unknown = '11111111-2222-5333-8444-555555555555';
  const none = await world.walletd(['verify', '--wallet', unknown, ...against]);
  expect(none.stderr).toContain('does not have this wallet');
});

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
  expect(clean.stderr).toContain(`2 wallets compared with checkpoint ${number}`);
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
