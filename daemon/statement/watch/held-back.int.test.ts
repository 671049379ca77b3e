import { afterEach, beforeEach, expect, it } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { makeLines } from '../../../tests/support/ledger/statement-model.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import type { Line } from '../domain.ts';
import {
  chainLines,
  createStatementWorld,
  startMs,
  toLines,
  userOf,
  type StatementWorld,
} from '../test-support.ts';
import { repairLines } from '../rebuild/store.ts';
import { insertLines } from '../store.ts';
import { readLastFound, resolveDivergences } from '../witness/store.ts';
import { namesOf, openWatch, project } from './test-support.ts';

let database: TestDatabase;
let statement: Awaited<ReturnType<StatementWorld['start']>>;
let ana: UserPrincipal;
let lines: Line[];
let euros: Line[];

beforeEach(async () => {
  database = await createTestDatabase('statement');
  const world = createStatementWorld(database);
  ana = world.know(userOf());
  statement = await world.start();
  lines = toLines(ana.userId, 'BRL', makeLines(6, 6, startMs));
  euros = toLines(ana.userId, 'EUR', makeLines(3, 3, startMs));
});
afterEach(async () => {
  await statement.stop();
  await database.drop();
});

const store = (some: readonly Line[]) => database.db.tx((tx) => insertLines(tx, some));
const listDivergences = () =>
  database.query<{ kind: string; seq: bigint }>('SELECT kind, seq::int FROM divergences');

/** As a rebuild makes the lines what the ledger says. */
const repair = () =>
  database.db.tx(async (tx) => {
    await repairLines(tx, lines);
    await resolveDivergences(tx, 'a test', await readLastFound(tx), undefined);
  });

/** The lines from a seq on with another content, in a valid chain. */
function rewrite(seq: number): Line[] {
  const changed = lines.map((line, i) =>
    i + 1 === seq ? { ...line, description: 'rewritten' } : line,
  );
  return chainLines(changed).slice(seq - 1);
}

it('a changed line is held back and reported once, and other wallets go on', async () => {
  const watch = await openWatch(statement, ana);
  await store([...lines.slice(0, 3), { ...lines[3]!, amountMinor: 7n }, lines[4]!]);
  await watch.waitFor(3);
  await store(euros);
  await watch.waitFor(6);
  await watch.waitForResponses(3);
  expect(watch.seen).toEqual([...namesOf(lines.slice(0, 3)), ...namesOf(euros)]);
  const text = watch.texts.join();
  expect(text).toMatch(/^line 4 is not what its hash says; an operator repairs it with: /);
  expect(text).toContain(`walletd statements rebuild --wallet ${lines[0]!.walletId}`);
  expect(await listDivergences()).toEqual([{ kind: 'own_hash', seq: 4 }]);
  await repair();
  await watch.waitFor(9);
  expect(watch.seen.slice(6)).toEqual(namesOf(lines.slice(3)));
  expect(watch.texts).toHaveLength(1);
  await watch.close();
});

it('a line that does not follow the one before it is held back until it is repaired', async () => {
  const watch = await openWatch(statement, ana);
  await store([...lines.slice(0, 2), ...rewrite(3).slice(1)]);
  await watch.waitFor(2);
  await store([lines[2]!]);
  await watch.waitFor(3);
  expect(watch.seen).toEqual(namesOf(lines.slice(0, 3)));
  expect(watch.texts.join()).toContain('line 4 does not follow the line before it');
  await repair();
  await watch.waitFor(6);
  expect(watch.seen).toEqual(namesOf(lines));
  await watch.close();
});

it('a wallet with an open divergence is held back, in a new watch too', async () => {
  await project(statement, lines.slice(0, 4));
  const [, , third] = rewrite(1);
  const watch = await openWatch(statement, ana);
  // An event that contradicts a line that is there.
  await project(statement, [third!]);
  expect(await listDivergences()).toContainEqual({ kind: 'other_hash', seq: 3 });
  const second = await openWatch(statement, ana, { cursor: watch.cursor() });
  await project(statement, lines.slice(4));
  await project(statement, euros);
  for (const each of [watch, second]) {
    await each.waitFor(3);
    expect(each.seen).toEqual(namesOf(euros));
    expect(each.texts.join()).toContain('an event contradicts the line that is there at seq 3');
  }
  await repair();
  await watch.waitFor(5);
  expect(watch.seen.slice(3)).toEqual(namesOf(lines.slice(4)));
  await Promise.all([watch.close(), second.close()]);
});

it('a watch ends, and is not resumed, where the line that was sent last was replaced', async () => {
  const watch = await openWatch(statement, ana);
  await store(lines.slice(0, 4));
  await watch.waitFor(4);
  const cursor = watch.cursor();
  await database.query('DELETE FROM statement_lines WHERE seq >= 3');
  await store(rewrite(3));
  expect(await watch.ended).toBe('INVALID_ARGUMENT cursor');
  const resumed = await openWatch(statement, ana, { cursor });
  expect(await resumed.ended).toBe('INVALID_ARGUMENT cursor');
  expect(await listDivergences()).toEqual([]);
  const again = await openWatch(statement, ana);
  await project(statement, euros);
  await again.waitFor(3);
  expect(again.seen).toEqual(namesOf(euros));
  await again.close();
});

it('a resumed watch waits for lines that a restore took away, and repeats none', async () => {
  const watch = await openWatch(statement, ana);
  await store(lines.slice(0, 4));
  await watch.waitFor(4);
  await watch.close();
  await database.query('DELETE FROM statement_lines WHERE seq >= 3');
  const resumed = await openWatch(statement, ana, { cursor: watch.cursor() });
  await store(lines.slice(2, 3));
  await store(euros);
  await resumed.waitFor(3);
  await store(lines.slice(3));
  await resumed.waitFor(5);
  expect(resumed.seen).toEqual([...namesOf(euros), ...namesOf(lines.slice(4))]);
  await resumed.close();
});
