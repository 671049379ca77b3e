import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { ExportStatus } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import type { Line } from '../domain.ts';
import { insertLines } from '../store.ts';
import {
  chainLines,
  createStatementWorld,
  reasonOf,
  userOf,
  type StatementWorld,
} from '../test-support.ts';
import { callsOf } from './test-support.ts';

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

const divergences = () =>
  database.query<{ kind: string; seq: number }>(
    'SELECT kind, seq::int AS seq FROM divergences ORDER BY seq',
  );
const edit = (seq: number, text: string) =>
  database.query(`UPDATE statement_lines SET ${text} WHERE seq = $1`, [seq]);
const failureOf = async (id: string) =>
  (
    await database.query<{ failure: string | null }>('SELECT failure FROM exports WHERE id = $1', [
      id,
    ])
  )[0]?.failure;

/** How an export of the lines from this one on ends; without one, of all. */
async function exportFrom(line?: Line) {
  const { id } = await calls.made(ana, line ? { from: new Date(line.occurredAtMs) } : {});
  const { status, rowsDone } = await calls.ended(id, ana);
  return { id, status, rowsDone, failure: (await failureOf(id)) ?? '' };
}

const otherId = '0190f4b0-7c1e-7000-8000-0000000000a1';
const { DONE, INCONSISTENT } = ExportStatus;
const everyField = (line: Line): Line => ({
  ...line,
  parentId: line.seq % 3n === 0n ? otherId : undefined,
  actor: line.seq % 5n === 0n ? 'ação 日本 😀' : line.actor,
  // Keys in an order that is not the canonical one, and one that JSON puts first.
  metadata: line.seq % 2n === 0n ? { z: '"\\\n\u0007', é: '😀', '\uffff': 'a', '10': '' } : {},
});

describe('verification of an export', () => {
  it('lines with every field pass, from the first one and from a later one on', async () => {
    const { lines } = await world.fill(ana.userId, 2_000, { complete: everyField });
    expect(await exportFrom()).toMatchObject({ status: DONE, rowsDone: 2_000n });
    const part = await exportFrom(lines[1_200]);
    expect(part).toMatchObject({ status: DONE, rowsDone: 800n });
    expect(await divergences()).toEqual([]);
  });

  it.each([
    [`transaction_id = '${otherId}'`, 'own_hash'],
    ['operation = 4', 'own_hash'],
    ['balance_after = balance_after + 1', 'own_hash'],
    ["contra_account = contra_account || ';'", 'own_hash'],
    ['parent_id = wallet_id', 'own_hash'],
    ['parent_id = NULL', 'own_hash'],
    ['source = NULL', 'own_hash'],
    ["actor = ''", 'own_hash'],
    ["description = coalesce(description, '') || '.'", 'own_hash'],
    ["metadata = '{}'", 'own_hash'],
    ["metadata = 'no JSON'", 'own_hash'],
    ["occurred_at = occurred_at + interval '1 millisecond'", 'own_hash'],
    ["currency = 'USD'", 'own_hash'],
    ['hash = sha256(hash)', 'own_hash'],
    ['previous_hash = sha256(hash)', 'broken_link'],
    ['previous_hash = NULL', 'broken_link'],
  ])('an export finds a line that was edited: %s', async (text, kind) => {
    const { lines } = await world.fill(ana.userId, 60, { complete: everyField });
    await edit(30, text);
    const { status, failure } = await exportFrom(lines[10]);
    expect(status).toBe(INCONSISTENT);
    expect(failure).toMatch(/^line 30 .*; an operator repairs it with: walletd statements rebuild/);
    expect(await divergences()).toEqual([{ kind, seq: 30 }]);
  });

  it('an export finds that rewritten lines end in its middle', async () => {
    const { lines } = await world.fill(ana.userId, 60);
    const forged = chainLines(lines.map((line) => ({ ...line, description: 'forged' })));
    await database.query('DELETE FROM statement_lines WHERE seq <= 30');
    await database.db.tx((tx) => insertLines(tx, forged.slice(0, 30)));
    for (const first of [undefined, lines[10], lines[30]]) {
      await database.query('DELETE FROM divergences');
      const { status, failure } = await exportFrom(first);
      expect(status).toBe(INCONSISTENT);
      expect(failure).toContain('line 31 does not follow the line before it');
      expect(await divergences()).toEqual([{ kind: 'broken_link', seq: 31 }]);
    }
  });

  it('an export that lacks lines reports a broken link at once', async () => {
    await world.fill(ana.userId, 60, { missing: 5 });
    await edit(30, 'previous_hash = sha256(hash)');
    const { status, failure } = await exportFrom();
    expect(status).toBe(INCONSISTENT);
    expect(failure).toContain('line 30 does not follow the line before it');
  });

  it('an export with an altered line far behind leaves no chunk of what was written', async () => {
    await world.fill(ana.userId, 20_000, { stepMs: 60_000 });
    await edit(19_000, "contra_account = 'external:else'");
    const { id, status, rowsDone, failure } = await exportFrom();
    expect(status).toBe(INCONSISTENT);
    expect(failure).toContain('line 19000 is not what its hash says');
    // Chunks had been committed by then.
    expect(rowsDone).toBeGreaterThan(0n);
    expect(rowsDone).toBeLessThan(19_000n);
    expect(
      reasonOf(await calls.call('downloadExport', { exportId: id, offset: 0n }, ana)),
    ).not.toBe('ok');
    await vi.waitFor(
      async () => expect(await database.query('SELECT 1 FROM export_chunks')).toEqual([]),
      { timeout: 20_000 },
    );
  });
});
