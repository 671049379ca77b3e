import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import {
  ExportStatus,
  GenerateStatementRequest,
  StatementStatus,
  type GenerateStatementResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import type { Line } from '../domain.ts';
import { callsOf, dayMs } from '../exports/test-support.ts';
import { insertLines } from '../store.ts';
import {
  chainLines,
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
let lines: readonly Line[];
let asked: { lastEntries: () => number; ledger: () => number };

/** 40 lines, an hour apart at most; statements of the first 20 have a closed past. */
beforeEach(async () => {
  database = await createTestDatabase('statement');
  world = createStatementWorld(database);
  ana = world.know(userOf());
  ({ lines } = await world.fill(ana.userId, 40));
  const lastEntries = vi.spyOn(world.peers, 'readHead');
  const ledger = vi.spyOn(world.peers, 'readLedger');
  asked = {
    lastEntries: () => lastEntries.mock.calls.length,
    ledger: () => ledger.mock.calls.length,
  };
  statement = await world.start();
  calls = callsOf(statement);
});
afterEach(async () => {
  await statement.stop();
  await database.drop();
});

/**
 * With write access to the database: these lines changed, and the hashes after them made to fit.
 */
async function rewrite(throughSeq: number, change: (line: Line) => Partial<Line>): Promise<void> {
  const forged = chainLines(lines.map((line) => ({ ...line, ...change(line) })));
  await database.query('DELETE FROM statement_lines WHERE seq <= $1', [throughSeq]);
  await database.db.tx((tx) => insertLines(tx, forged.slice(0, throughSeq)));
}

const lineAt = (seq: number): Line => lines[seq - 1]!;

async function statementUntil(toMs: number): Promise<GenerateStatementResponse> {
  const [from, to] = [new Date(startMs - dayMs), new Date(toMs)];
  const request = GenerateStatementRequest.fromPartial({ from, to });
  return valueOf(await calls.call('generateStatement', request, ana));
}

const raise = (line: Line) => ({
  amountMinor: line.amountMinor + (line.seq === 1n ? 1_000n : 0n),
  balanceAfterMinor: line.balanceAfterMinor + 1_000n,
});

describe('rewritten lines with matching hashes', () => {
  it.each([
    ['the line before the first that is left', 20],
    ['a line far before', 5],
    ['no line at all', 0],
  ])('rewritten lines are found by a statement that ends with %s', async (_what, endSeq) => {
    const toMs = endSeq === 0 ? startMs : lineAt(endSeq).occurredAtMs + 1;
    expect((await statementUntil(toMs)).status).toBe(StatementStatus.COMPLETE);
    await rewrite(21, raise);
    const { status, statement: shown } = await statementUntil(toMs);
    expect(status).toBe(StatementStatus.INCONSISTENT);
    expect(shown?.inconsistency).toContain(`another transaction at seq ${endSeq + 1}`);
  });

  it.each([21, 1])(
    'a statement without line %i, which was moved past its end, is inconsistent',
    async (seq) => {
      const { occurredAtMs } = lineAt(seq);
      const laterMs = lineAt(seq + 1).occurredAtMs;
      await rewrite(seq, (line) => (line.seq === BigInt(seq) ? { occurredAtMs: laterMs } : {}));
      expect(laterMs).toBeGreaterThan(occurredAtMs + 1);
      const { status, statement: shown } = await statementUntil(occurredAtMs + 1);
      expect(shown?.lines).toHaveLength(seq - 1);
      expect(status).toBe(StatementStatus.INCONSISTENT);
    },
  );

  it('rewritten lines make an export inconsistent', async () => {
    await rewrite(21, raise);
    const to = new Date(lineAt(20).occurredAtMs + 1);
    const { id } = await calls.made(ana, { to });
    const ended = await vi.waitFor(async () => {
      const { export: found } = valueOf(await calls.get(id, ana));
      expect(found?.status).not.toBe(ExportStatus.QUEUED);
      expect(found?.status).not.toBe(ExportStatus.RUNNING);
      return found;
    }, 20_000);
    expect(ended?.status).toBe(ExportStatus.INCONSISTENT);
  });
});

describe('statements of a closed past', () => {
  it.each([0, 5, 20, 39, 40])('a statement to line %i asks the ledger once', async (endSeq) => {
    const toMs = endSeq === 0 ? startMs : lineAt(endSeq).occurredAtMs + 1;
    expect((await statementUntil(toMs)).status).toBe(StatementStatus.COMPLETE);
    expect(asked.lastEntries()).toBe(1);
    expect(asked.ledger()).toBe(0);
  });

  it('a statement of a closed past is incomplete while the ledger is unavailable', async () => {
    world.state.isWalletAway = true;
    const { status } = await statementUntil(lineAt(20).occurredAtMs + 1);
    expect(status).toBe(StatementStatus.INCOMPLETE);
  });
});
