import { afterAll, beforeAll, expect, it } from 'vitest';

import { chainHash, genesisHash } from '../../../core/chain.ts';
import { walletIdOf } from '../../../core/ids.ts';
import { queryService, waitUntil } from '../../support/ledger/ledger.ts';
import { createWorld, type Person, type World } from '../../support/processes/world.ts';

let world: World;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
});
afterAll(() => world.dispose());

const query = (text: string, values: unknown[]) =>
  queryService<Record<string, string>>(world.dataDir, 'statement', text, values);

async function show(person: Person, args: readonly string[]) {
  const { code, stdout } = await person.run(['statement', 'show', '--json', ...args]);
  type Shown = { status: string; statement: { closing: string; inconsistency?: string } };
  return { code, stdout, ...(JSON.parse(stdout) as Shown) };
}

it('a past range is inconsistent if its lines were rewritten with matching hashes', async () => {
  const leo = await world.customer('leo');
  const walletId = walletIdOf(leo.id, 'BRL');
  const times = [];
  for (const amount of ['10.00', '20.00', '30.00', '40.00']) {
    await leo.json(['deposit', amount, '--yes']);
    times.push(new Date().toISOString());
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await waitUntil('line 4', async () => {
    const text = 'SELECT 1 FROM statement_lines WHERE wallet_id = $1 AND seq = 4';
    return (await query(text, [walletId])).length > 0;
  });
  const closed = ['--to', times[1] ?? ''];
  expect(await show(leo, closed)).toMatchObject({ code: 0, statement: { closing: '30.00' } });
  const lines = await query(
    `SELECT transaction_id, seq, amount, balance_after, actor, contra_account,
       (extract(epoch FROM occurred_at) * 1000)::bigint AS at_ms
     FROM statement_lines WHERE wallet_id = $1 AND seq <= 3 ORDER BY seq`,
    [walletId],
  );
  let previousHash = genesisHash(walletId, leo.id, 'BRL');
  for (const line of lines) {
    const seq = BigInt(line['seq'] ?? 0);
    const hash = chainHash(previousHash, {
      ...{ id: line['transaction_id'] ?? '', seq, operation: 'deposit', parentId: undefined },
      amountMinor: BigInt(line['amount'] ?? 0) + (seq === 1n ? 500n : 0n),
      balanceAfterMinor: BigInt(line['balance_after'] ?? 0) + 500n,
      ...{ contraAccount: line['contra_account'] ?? '', actor: line['actor'] ?? '' },
      ...{ source: 'grpc', description: undefined, metadata: {}, more: undefined },
      occurredAtMs: Number(line['at_ms']),
    });
    await query(
      `UPDATE statement_lines SET amount = amount + CASE WHEN seq = 1 THEN 500 ELSE 0 END,
         balance_after = balance_after + 500,
         previous_hash = decode($3, 'hex'), hash = decode($4, 'hex')
       WHERE wallet_id = $1 AND seq = $2`,
      [walletId, seq, previousHash, hash],
    );
    previousHash = hash;
  }
  const shown = await show(leo, closed);
  expect(shown).toMatchObject({ code: 10, status: 'inconsistent' });
  expect(shown.stdout).toContain('another transaction at seq 3');
  const done = await world.walletd(['statements', 'rebuild', '--wallet', walletId]);
  expect(done.code, done.stderr).toBe(0);
  expect(await show(leo, closed)).toMatchObject({ code: 0, statement: { closing: '30.00' } });
});
