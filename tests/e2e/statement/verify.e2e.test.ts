import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { queryService } from '../../support/ledger/ledger.ts';
import { createWorld, type World } from '../../support/processes/world.ts';

let world: World;
beforeAll(async () => {
  world = await createWorld();
  await world.start();
});
afterAll(() => world.dispose());

type Finding = { wallet: string; seq: number; kind: string };

async function verify(args: readonly string[] = []) {
  const { code, stdout, stderr } = await world.walletd(['verify', '--json', ...args]);
  const lines = stdout.split('\n').filter((line) => line !== '');
  return { code, stderr, findings: lines.map((line) => JSON.parse(line) as Finding) };
}

describe('walletd verify beside a daemon', () => {
  it('has no finding while transactions are committed and lines come', async () => {
    const people = await Promise.all(['ana', 'bob'].map((name) => world.customer(name)));
    let isOver = false;
    const loads = people.map(async (person) => {
      let deposits = 0;
      while (!isOver) {
        await person.json(['deposit', '1.00', '--yes', '--new-key']);
        deposits += 1;
      }
      return deposits;
    });
    for (let n = 0; n < 3; n += 1) {
      expect(await verify()).toMatchObject({ code: 0, findings: [] });
    }
    isOver = true;
    for (const deposits of await Promise.all(loads)) expect(deposits).toBeGreaterThan(0);
  });

  it('finds an edit, and so does wallet audit verify', async () => {
    const person = await world.customer('eve');
    for (const amount of ['5.00', '6.00', '7.00']) await person.json(['deposit', amount, '--yes']);
    const walletId = walletIdOf(person.id, 'BRL');
    const edit = 'UPDATE transactions SET description = $2 WHERE wallet_id = $1 AND seq = 2';
    await queryService(world.dataDir, 'wallet', edit, [walletId, 'edited']);
    const place = { wallet: walletId, seq: 2, kind: 'hash' };
    const found = await verify();
    expect(found.code).toBe(1);
    expect(found.findings).toEqual([expect.objectContaining(place)]);
    expect((await verify(['--wallet', walletId])).findings).toHaveLength(1);
    const admin = await world.staff('alice', 'admin');
    const { code, stdout } = await admin.run(['audit', 'verify', '-o', 'ndjson']);
    expect(code).toBe(1);
    const lines = stdout.trim().split('\n');
    const asked = lines.map((line) => JSON.parse(line) as Finding);
    expect(asked).toContainEqual(expect.objectContaining(place));
    expect(new Set(asked.map(({ seq }) => seq))).toEqual(new Set([2]));
  });
});
