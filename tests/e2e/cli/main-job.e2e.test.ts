import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { waitUntil } from '../../support/ledger/ledger.ts';
import { describeMainJob } from '../../support/processes/main-job.ts';
import { createWorld, type Person, type World } from '../../support/processes/world.ts';

type Transaction = { id: string; seq: number; balanceAfter: string; replayed: boolean };
type Statement = {
  status: string;
  statement: { opening: string; closing: string; lines: { transactionId: string }[] };
};

let world: World;
let ana: Person;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  ana = await world.customer('ana');
});

afterAll(() => world.dispose());

describe('kill -9 after an answer', () => {
  it('a daemon killed after an answer has the deposit and its statement line', async () => {
    const paid = await ana.json<Transaction>(['deposit', '42.50', '--yes']);
    await world.kill();
    await world.start();
    expect(world.daemon().log()).toContain('"adopted":true');
    expect(await ana.json(['balance'])).toMatchObject({ balance: '42.50', seq: 1 });
    // Until then it says that it is incomplete: the killed daemon may have had the event to send.
    const isComplete = async () => (await ana.run(['statement', 'show'])).code === 0;
    await waitUntil('a complete statement', isComplete, 30_000);
    const shown = await ana.json<Statement>(['statement', 'show']);
    expect(shown).toMatchObject({ status: 'complete', statement: { closing: '42.50' } });
    expect(shown.statement.lines.map((line) => line.transactionId)).toEqual([paid.id]);
  });

  it('a daemon that was killed answers the same key with the same transaction', async () => {
    const args = ['deposit', '1.00', '--yes', '--idempotency-key', 'after the crash'];
    const first = await ana.json<Transaction>(args);
    await world.kill();
    await world.start();
    const again = await ana.json<Transaction>(args);
    expect(again).toEqual({ ...first, replayed: true });
  });
});

describeMainJob(() => world);
