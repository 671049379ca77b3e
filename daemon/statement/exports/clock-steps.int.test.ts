import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import {
  ExportStatus,
  GenerateStatementRequest,
  StatementStatus,
  type GenerateStatementResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import {
  createStatementWorld,
  startMs,
  userOf,
  valueOf,
  type StatementWorld,
} from '../test-support.ts';
import { createExport } from './create.ts';
import { contextOf, reasonOf } from '../test-support.ts';
import * as store from './export-store.ts';
import { callsOf, dayMs } from './test-support.ts';
import { createExportWorker, type ExportWorker } from './worker.ts';
import type { Export } from './export-domain.ts';

/** The time that the ledger of these tests says it is. */
const ledgerNowMs = startMs + 400 * dayMs;

let database: TestDatabase;
let world: StatementWorld;
let ana: UserPrincipal;
let workers: ExportWorker[];
let sent: number;
let warnings: unknown[];

beforeEach(async () => {
  database = await createTestDatabase('statement');
  world = createStatementWorld(database);
  ana = world.know(userOf());
  workers = [];
  sent = 0;
  warnings = [];
});

afterEach(async () => {
  await Promise.all(workers.map((worker) => worker.stop()));
  await database.drop();
});

async function order(change: { toMs?: number; shallMail?: boolean } = {}): Promise<Export> {
  const options = {
    ...{ db: database.db, peers: world.peers, defaultCurrency: 'BRL', inlineDays: 15 },
    ...{ canMail: true, onQueued: () => undefined, reporter: world.reporter },
  };
  const asked = {
    ...{ userId: '', currency: '', fromMs: startMs, toMs: startMs + 60 * dayMs, timezone: 'UTC' },
    ...{ locale: '', format: 'csv' as const, shallMail: false, hasByteOrderMark: false },
    hasHolds: false,
    ...{ idempotencyKey: '', isDryRun: false, canReuse: false, ...change },
  };
  return valueOf(await createExport(options, asked, contextOf(ana))).made;
}

function startWorker(): void {
  const log = {
    ...{ info: () => undefined, error: () => undefined, debug: () => undefined },
    warn: (...values: unknown[]) => void warnings.push(values),
  };
  const worker = createExportWorker({
    ...{ db: database.db, peers: world.peers, retentionDays: 30, pollMs: 20 },
    reporter: world.reporter,
    mailer: { send: () => Promise.resolve(void (sent += 1)) },
    log: log as never,
    onReady: () => undefined,
  });
  workers.push(worker);
  worker.start();
}

const find = async (id: string): Promise<Export> =>
  (await database.db.read((tx) => store.findExport(tx, id)))!;
const until = (id: string, wanted: Partial<Export>) =>
  vi.waitFor(async () => expect(await find(id)).toMatchObject(wanted), { timeout: 15_000 });
const reports = () => JSON.stringify(warnings).match(/clock was set back/g)?.length ?? 0;

describe('clock set back by a day', () => {
  it.each(['running', 'queued'])('a %s export due a day ahead is made at once', async (status) => {
    await world.fill(ana.userId, 10);
    const { id } = await order();
    await database.query(
      `UPDATE exports SET status = $2, attempt = 1, due_at = clock_timestamp() + interval '1 day'
       WHERE id = $1`,
      [id, status],
    );
    startWorker();
    await until(id, { status: 'done', attempt: 2 });
    expect(reports()).toBe(1);
  });

  it('a mail of an export due a day ahead is sent at once', async () => {
    await world.fill(ana.userId, 10);
    const { id } = await order({ shallMail: true });
    await database.query('UPDATE exports SET mail_attempt = 1');
    await database.query(
      `UPDATE exports SET status = 'done', attempt = 1, row_count = 0, byte_count = 0,
         sha256 = sha256(''), finished_at = clock_timestamp(),
         expires_at = clock_timestamp() + interval '30 days',
         mail_due_at = clock_timestamp() + interval '1 day'`,
    );
    startWorker();
    await until(id, { mailState: 'sent' });
    expect(sent).toBe(1);
    expect(reports()).toBe(1);
  });

  it('a file finished 40 days in the future is kept for its retention from now on', async () => {
    const { id } = await order();
    startWorker();
    await until(id, { status: 'done' });
    await database.query(
      `UPDATE exports SET finished_at = finished_at + interval '40 days',
         expires_at = expires_at + interval '40 days'`,
    );
    await vi.waitFor(
      async () => expect((await find(id)).expiresAtMs).toBeLessThan(Date.now() + 31 * dayMs),
      { timeout: 15_000 },
    );
    expect(await find(id)).toMatchObject({ status: 'done' });
    expect((await find(id)).expiresAtMs).toBeGreaterThan(Date.now() + 29 * dayMs);
    expect(reports()).toBe(1);
  });
});

describe('end in the future', () => {
  it('a statement with an end in the future is incomplete, with 0 lines missing', async () => {
    const statement = await world.start();
    await world.fill(ana.userId, 3, { stepMs: 1_000 });
    const ask = (toMs: number) =>
      (
        statement.service.handlers['generateStatement']!(
          GenerateStatementRequest.fromPartial({
            ...{ from: new Date(toMs - 10 * dayMs), to: new Date(toMs) },
          }) as never,
          contextOf(ana),
        ) as Promise<never>
      ).then((answer) => valueOf<GenerateStatementResponse>(answer));
    const future = await ask(ledgerNowMs + 3_600_000);
    expect(future.status).toBe(StatementStatus.INCOMPLETE);
    expect(future.statement).toMatchObject({ behindBy: 0n });
    expect((await ask(ledgerNowMs)).status).toBe(StatementStatus.COMPLETE);
    await statement.stop();
  });

  it.each([false, true])('an export ends now at most (ledger unavailable: %s)', async (away) => {
    await world.fill(ana.userId, 3);
    world.state.isWalletAway = away;
    const { id } = await order({ toMs: ledgerNowMs + 5 * dayMs });
    world.state.isWalletAway = false;
    startWorker();
    await until(id, { status: 'done' });
    const { range, isEndGiven } = await find(id);
    expect(range.toMs).toBe(ledgerNowMs);
    // The same request later means another range.
    if (!away) expect(isEndGiven).toBe(false);
  });

  it('an export of a range that lies wholly in the future is refused', async () => {
    const statement = await world.start();
    const calls = callsOf(statement);
    const from = new Date(ledgerNowMs + dayMs);
    const refused = await calls.create(ana, { from, to: new Date(from.getTime() + 20 * dayMs) });
    expect(reasonOf(refused)).toBe('INVALID_ARGUMENT');
    const made = await calls.made(ana, { from: new Date(startMs), to: from });
    expect((await calls.ended(made.id, ana)).status).toBe(ExportStatus.DONE);
    await statement.stop();
  });
});
