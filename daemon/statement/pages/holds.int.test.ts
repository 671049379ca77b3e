import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import {
  GenerateStatementRequest,
  StatementStatus,
  type GenerateStatementResponse,
  type Statement,
  type StatementLine,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { operationTable } from '../../../core/operations.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { makeHoldLines } from '../../../tests/support/ledger/statement-model.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import type { Line } from '../domain.ts';
import { callsOf } from '../exports/test-support.ts';
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

type Asked = Partial<GenerateStatementRequest>;

/** All pages of a statement, put together. */
async function readAll(asked: Asked) {
  const lines: StatementLine[] = [];
  const statuses = new Set<StatementStatus>();
  let [head, pages, pageToken] = [undefined as Statement | undefined, 0, ''];
  do {
    expect((pages += 1)).toBeLessThan(500);
    const request = GenerateStatementRequest.fromPartial({ ...asked, pageToken });
    const page = valueOf(
      await calls.call<GenerateStatementResponse>('generateStatement', request, ana),
    );
    statuses.add(page.status);
    lines.push(...(page.statement?.lines ?? []));
    head ??= page.statement;
    pageToken = page.nextPageToken;
  } while (pageToken !== '');
  if (!head) throw new Error('no statement');
  return { head: { ...head, lines: [] }, lines, statuses: [...statuses], pages };
}

const minutes = (from: number, to: number) => ({
  from: new Date(startMs + from * 60_000),
  to: new Date(startMs + to * 60_000),
});
const whole = minutes(0, 20_000);
const fill = async (count: number) =>
  (await world.fill(ana.userId, count, { make: makeHoldLines, stepMs: 60_000 })).lines;

const seqsOf = (lines: readonly { readonly seq: bigint }[]) => lines.map(({ seq }) => seq);
const movesMoney = ({ amountMinor }: Line): boolean => amountMinor !== 0n;
/** A line without what is shown only with holds. */
const plain = (line: StatementLine) => ({
  ...line,
  ...{ heldMinor: undefined, heldAfterMinor: undefined },
});

describe('a statement of a wallet with holds', () => {
  it('for every range it adds up, hides nothing but holds, and says what is reserved', async () => {
    const lines = await fill(400);
    const range = fc
      .tuple(fc.nat(220), fc.nat(220))
      .map(([a, b]) => [Math.min(a, b), Math.max(a, b)]);
    let holds = 0;
    await fc.assert(
      fc.asyncProperty(
        range,
        fc.integer({ min: 1, max: 90 }),
        fc.boolean(),
        async ([from = 0, to = 0], pageSize, descending) => {
          const asked = { ...minutes(from, to), pageSize, descending };
          const shown = await readAll({ ...asked, includeHolds: true });
          const hidden = await readAll(asked);
          const [fromMs, toMs] = [asked.from.getTime(), asked.to.getTime()];
          const before = lines.filter(({ occurredAtMs }) => occurredAtMs < toMs);
          const inside = before.filter(({ occurredAtMs }) => occurredAtMs >= fromMs);
          const ordered = descending ? inside.toReversed() : inside;
          expect(seqsOf(shown.lines)).toEqual(seqsOf(ordered));
          expect(seqsOf(hidden.lines)).toEqual(seqsOf(ordered.filter(movesMoney)));
          holds += shown.lines.length - hidden.lines.length;
          const { head } = shown;
          expect(head.openingMinor + head.totalCreditMinor - head.totalDebitMinor).toBe(
            head.closingMinor,
          );
          const reserved = before.reduce((sum, { more }) => sum + (more?.heldMinor ?? 0n), 0n);
          expect(head.heldClosingMinor).toBe(reserved);
          expect(head.availableClosingMinor).toBe(head.closingMinor - reserved);
          // Hidden lines change nothing else.
          const noHeld = { heldClosingMinor: undefined, availableClosingMinor: undefined };
          expect(hidden.head).toEqual({ ...head, ...noHeld });
          const moving = shown.lines.filter((l) => l.debitMinor + l.creditMinor > 0n);
          expect(hidden.lines).toEqual(moving.map(plain));
          expect([...shown.statuses, ...hidden.statuses]).toEqual([
            StatementStatus.COMPLETE,
            StatementStatus.COMPLETE,
          ]);
        },
      ),
      { numRuns: 40 },
    );
    expect(holds).toBeGreaterThan(500);
  });

  it('each line says what it reserves, and what is reserved since', async () => {
    const lines = await fill(200);
    const { lines: shown } = await readAll({ ...whole, includeHolds: true });
    let reserved = 0n;
    for (const [i, line] of shown.entries()) {
      reserved += line.heldMinor ?? 0n;
      expect(line.heldAfterMinor).toBe(reserved);
      expect(line.debitMinor > 0n && line.creditMinor > 0n).toBe(false);
      expect(line.balanceAfterMinor).toBe(lines[i]!.balanceAfterMinor);
    }
    expect(shown.some(({ balanceAfterMinor }) => balanceAfterMinor < 0n)).toBe(true);
  });

  it('a page is full although holds lie between its lines, and a filter is one besides', async () => {
    const lines = await fill(400);
    const moving = lines.filter(movesMoney);
    const { pages } = await readAll({ ...whole, pageSize: 50 });
    expect(pages).toBe(Math.ceil(moving.length / 50));
    const operations = [operationTable.hold.wireNumber, operationTable.capture.wireNumber];
    const of = (name: string) => lines.filter(({ operation }) => operation === name);
    const filtered = await readAll({ ...whole, operations });
    expect(seqsOf(filtered.lines)).toEqual(seqsOf(of('capture')));
    const both = await readAll({ ...whole, operations, includeHolds: true });
    expect(both.lines).toHaveLength(of('capture').length + of('hold').length);
  });

  it('a hold that is missing or was edited shows, also where holds are not', async () => {
    const lines = await fill(100);
    const { seq } = lines.filter((line) => !movesMoney(line))[20]!;
    await database.query('UPDATE statement_lines SET held = held + 1 WHERE seq = $1', [seq]);
    const { head, statuses } = await readAll(whole);
    expect(statuses).toEqual([StatementStatus.INCONSISTENT]);
    expect(head.inconsistency).toContain(`line ${seq} is not what its hash says`);
    await database.query('DELETE FROM divergences');
    await database.query('DELETE FROM statement_lines WHERE seq = $1', [seq]);
    const missing = await readAll(whole);
    expect(missing.statuses).toEqual([StatementStatus.INCOMPLETE]);
    expect(missing.head.behindBy).toBe(1n);
  });

  it('a movement that was edited to move nothing is not just left out', async () => {
    const lines = await fill(100);
    const { seq } = lines.filter(movesMoney)[20]!;
    await database.query('UPDATE statement_lines SET amount = 0, held = 5 WHERE seq = $1', [seq]);
    const { statuses, head } = await readAll(whole);
    expect(statuses).toEqual([StatementStatus.INCONSISTENT]);
    expect(head.inconsistency).not.toBe('');
  });

  it('a page token of a statement with holds continues no other', async () => {
    await fill(100);
    const ask = (asked: Asked) =>
      calls.call<GenerateStatementResponse>(
        'generateStatement',
        GenerateStatementRequest.fromPartial({ ...whole, pageSize: 10, ...asked }),
        ana,
      );
    const { nextPageToken: pageToken } = valueOf(await ask({ includeHolds: true }));
    expect(await ask({ pageToken })).toMatchObject({
      rejection: { reason: 'PAGE_TOKEN_INVALID' },
    });
    expect(await ask({ pageToken, includeHolds: true })).toMatchObject({ ok: true });
  });
});
