import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { operationTable, type Operation } from '../../../core/operations.ts';
import {
  GenerateStatementRequest,
  StatementStatus,
  type GenerateStatementResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import type { Line } from '../domain.ts';
import { callsOf, dayMs } from '../exports/test-support.ts';
import {
  createStatementWorld,
  startMs,
  userOf,
  valueOf,
  type StatementWorld,
} from '../test-support.ts';

let database: TestDatabase;
let world: StatementWorld;
let statement: Awaited<ReturnType<StatementWorld['start']>>;
let calls: ReturnType<typeof callsOf>;
let ana: UserPrincipal;

beforeEach(async () => {
  database = await createTestDatabase('statement');
  world = createStatementWorld(database);
  ana = world.know(userOf());
  statement = await world.start();
  calls = callsOf(statement);
});
afterEach(async () => {
  await statement.stop();
  await database.drop();
});

/** All pages of a statement: their lines, and the status of each. */
async function readAll(
  change: { descending?: boolean; operations?: readonly Operation[] } = {},
  pageSize = 10,
) {
  const query = {
    ...{ from: new Date(startMs - dayMs), to: new Date(startMs + 13 * dayMs), pageSize },
    descending: change.descending ?? false,
    operations: (change.operations ?? []).map((name) => operationTable[name].wireNumber),
  };
  const pages: { status: StatementStatus; seqs: number[] }[] = [];
  let text = '';
  for (let pageToken = ''; pages.length === 0 || pageToken !== '';) {
    expect(pages.length).toBeLessThan(100);
    const request = GenerateStatementRequest.fromPartial({ ...query, pageToken });
    const page = valueOf(
      await calls.call<GenerateStatementResponse>('generateStatement', request, ana),
    );
    pages.push({
      status: page.status,
      seqs: page.statement?.lines.map(({ seq }) => Number(seq)) ?? [],
    });
    text += page.statement?.inconsistency ?? '';
    pageToken = page.nextPageToken;
  }
  return { statuses: pages.map(({ status }) => status), seqs: pages.flatMap((p) => p.seqs), text };
}

const { COMPLETE, INCONSISTENT } = StatementStatus;
const seqsOf = (lines: readonly Line[], wanted: readonly Operation[]): number[] =>
  lines.filter(({ operation }) => wanted.includes(operation)).map(({ seq }) => Number(seq));

const edit = (seq: number, text: string) =>
  database.query(`UPDATE statement_lines SET ${text} WHERE seq = $1`, [seq]);
const giveAway = (seq: number) => edit(seq, `user_id = '${randomUUID()}'`);

describe('lines given to another user', () => {
  it.each([
    [1, false, 0],
    [10, false, 0],
    [11, false, 1],
    [15, false, 1],
    [29, false, 2],
    [15, true, 1],
    [30, true, 0],
  ])('missing line %i (descending: %s) is found on page %i', async (seq, descending, page) => {
    await world.fill(ana.userId, 30);
    expect((await readAll({ descending })).statuses).toEqual([COMPLETE, COMPLETE, COMPLETE]);
    await giveAway(seq);
    const { statuses, text } = await readAll({ descending });
    expect(statuses[page]).toBe(INCONSISTENT);
    expect(text).toContain(`line ${seq} `);
  });

  it('a line given to another user makes statements of other operations inconsistent', async () => {
    await world.fill(ana.userId, 30);
    for (const wanted of ['deposit', 'withdraw'] as const) {
      expect((await readAll({ operations: [wanted] })).statuses).not.toContain(INCONSISTENT);
    }
    await giveAway(15);
    for (const wanted of ['deposit', 'withdraw'] as const) {
      const { statuses } = await readAll({ operations: [wanted] });
      expect(statuses).toContain(INCONSISTENT);
    }
  });
});

describe('statements of some operations', () => {
  it('an edited operation makes a statement of some operations inconsistent', async () => {
    const { lines } = await world.fill(ana.userId, 30);
    const [seq = 0] = seqsOf(lines.slice(4, -2), ['withdraw']);
    expect(seq).toBeGreaterThan(4);
    expect((await readAll({ operations: ['withdraw'] })).statuses).toEqual([COMPLETE]);
    await edit(seq, 'operation = 1');
    for (const descending of [false, true]) {
      const { statuses, seqs } = await readAll({ operations: ['withdraw'], descending });
      expect(seqs).not.toContain(seq);
      expect(statuses).toContain(INCONSISTENT);
    }
  });

  it.each([false, true])('rare operations are listed once (descending: %s)', async (descending) => {
    // So rare that there are thousands of others between.
    const isRare = (seq: bigint): boolean => seq % 3_000n < 3n && seq > 5n;
    const { lines } = await world.fill(ana.userId, 12_000, {
      stepMs: 60_000,
      change: (line) => (isRare(line.seq) ? { ...line, operation: 'reversal' } : line),
    });
    const { statuses, seqs } = await readAll({ operations: ['reversal'], descending }, 2);
    const expected = seqsOf(lines, ['reversal']);
    expect(expected).toHaveLength(10);
    expect(seqs).toEqual(descending ? expected.reverse() : expected);
    expect(new Set(statuses)).toEqual(new Set([COMPLETE]));
  });
});
