import { afterAll, beforeAll, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { queryService, readUrls, waitUntil } from '../../support/ledger/ledger.ts';
import { holdWallet } from '../../support/postgres/hold-lock.ts';
import { createWorld, expectCode, type Person, type World } from '../../support/processes/world.ts';

let world: World;
let olga: Person;
let ana: Person;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  olga = await world.staff('olga', 'operator');
  ana = await world.customer('ana');
  await ana.json(['deposit', '100.00', '--yes']);
  await ana.json(['deposit', '50.00', '--currency', 'EUR', '--yes']);
});

afterAll(() => world.dispose());

const addToBalance = (minor: number) =>
  queryService(world.dataDir, 'wallet', 'UPDATE wallets SET balance = balance + $2 WHERE id = $1', [
    walletIdOf(ana.id, 'BRL'),
    minor,
  ]);

type Balance = { currency: string; balance?: string };
type Listed = Balance & { status: string };

it('a wallet with an edited balance is refused as WALLET_CORRUPT; others are shown', async () => {
  await world.stop();
  await world.start();
  await addToBalance(100_000);
  const spend = await ana.run(['withdraw', '500.00', '--yes']);
  expectCode(spend, 6);
  expect(spend.stderr).toContain('WALLET_CORRUPT');
  expectCode(await ana.run(['deposit', '1.00', '--yes']), 6);
  expectCode(await ana.run(['balance']), 6);

  const all = await ana.run(['balance', '--all', '--json', '--quiet']);
  expectCode(all, 6);
  const { items } = JSON.parse(all.stdout) as { items: Balance[] };
  expect(items.map(({ currency, balance }) => [currency, balance])).toEqual([
    ['BRL', undefined],
    ['EUR', '50.00'],
  ]);
  expect(all.stderr).toContain('the wallet in BRL does not match its last transaction');
  const at = new Date().toISOString();
  expectCode(await ana.run(['balance', '--all', '--at', at]), 6);
  for (const person of [ana, olga]) {
    const list = await person.json<{ items: Listed[] }>(['wallets', 'list']);
    const reported = list.items.map(({ currency, balance, status }) => [currency, balance, status]);
    expect(reported.sort()).toEqual([
      ['BRL', undefined, 'corrupt'],
      ['EUR', '50.00', 'active'],
    ]);
  }

  const statement = await ana.run(['statement', 'show', '--json', '--quiet']);
  expectCode(statement, 10);
  expect(JSON.parse(statement.stdout)).toMatchObject({
    status: 'inconsistent',
    statement: { closing: '100.00' },
  });
  expect(statement.stdout).toContain('the wallet does not agree with its last transaction');
  const file = await ana.run(['statement', 'export', '--file', `${world.folder}/a.csv`]);
  expectCode(file, 6);
  expect(file.stderr).toContain('WALLET_CORRUPT');

  await addToBalance(-100_000);
  expect(await ana.json(['deposit', '1.00', '--yes'])).toMatchObject({ balanceAfter: '101.00' });
  expectCode(await ana.run(['balance', '--all']), 0);
});

it('an export of a locked wallet reports the lock, and is written after it', async () => {
  await waitUntil('the statement is complete', async () => {
    return (await ana.run(['statement', 'show', '--json', '--quiet'])).code === 0;
  });
  const release = await holdWallet((await readUrls(world.dataDir)).owner('wallet'), ana.id);
  expectCode(await ana.run(['statement', 'show', '--json', '--quiet']), 10);
  const args = ['statement', 'export', '--no-wait', '--json', '--quiet'];
  const asked = await ana.run(args);
  expectCode(asked, 10);
  const { id } = JSON.parse(asked.stdout) as { id: string };
  const show = () => ana.json<{ status: string; failure?: string }>(['exports', 'show', id]);
  await waitUntil('it says why it is not written', async () => {
    return (await show()).failure?.includes('locked') === true;
  });
  await release();
  await waitUntil('it is written', async () => (await show()).status === 'done');
});
