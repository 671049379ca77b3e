import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { walletIdOf } from '../core/ids.ts';
import type { InboundMessage } from '../daemon/platform/broker/broker.ts';
import { createTestDatabase, type TestDatabase } from './support/postgres/database.ts';
import { startSmtpServer, type TestSmtpServer } from './support/mail/smtp.ts';
import { createTransport, messageOf } from './support/grpc/transport.ts';
import type { Log } from '../daemon/platform/log.ts';
import { createMailer, type Mailer } from '../daemon/platform/mail/mail.ts';
import { appendOutbox, createRelay } from '../daemon/platform/outbox/relay.ts';
import { createMailQueue } from '../daemon/auth/mails/queue.ts';
import { appendMail } from '../daemon/auth/mails/store.ts';
import { chainLines, toMessage } from '../daemon/statement/test-support.ts';
import { createProjection } from '../daemon/statement/projection/projection.ts';
import { createGaps } from '../daemon/statement/projection/gaps.ts';
import { describeTrouble } from '../daemon/platform/progress/reasons.ts';
import { createProgressWatch, type ProgressWatch } from '../daemon/platform/progress/watch.ts';

const stallMs = 1_500;
let lines: string[];
let watches: ProgressWatch[];
let releases: (() => unknown)[];
let database: TestDatabase;

const nothing = (): void => undefined;
const log = {
  ...{ debug: nothing, error: nothing },
  warn: (fields: { part?: string }, message: string) => noteLine(fields, message),
  info: (fields: { part?: string }, message: string) => noteLine(fields, message),
} as unknown as Log;
function noteLine({ part }: { part?: string }, message: string): void {
  if (part !== undefined) lines.push(`${part}: ${message.split(':')[0]}`);
}

beforeEach(() => {
  [lines, watches, releases] = [[], [], []];
});
afterEach(async () => {
  for (const watch of watches) watch.stop();
  for (const release of releases.reverse()) await release();
  await database.drop();
});

function startWatch(afterMs = stallMs): ProgressWatch {
  const watch = createProgressWatch({ log, describe: describeTrouble, stallMs: afterMs });
  watches.push(watch);
  watch.start();
  return watch;
}

const untilStalled = (watch: ProgressWatch, part: string, reason: RegExp) =>
  vi.waitFor(
    () => {
      const state = watch.read().find((candidate) => candidate.part === part);
      expect(state).toMatchObject({ isStalled: true });
      expect(state?.reason).toMatch(reason);
    },
    { timeout: 20_000, interval: 50 },
  );
const untilWell = (watch: ProgressWatch) =>
  vi.waitFor(
    () => expect(watch.read().filter((state) => state.isStalled || state.ageMs > 0)).toEqual([]),
    { timeout: 20_000, interval: 50 },
  );

describe('outbox', () => {
  beforeEach(async () => {
    database = await createTestDatabase('wallet');
  });
  const append = (messageId: string) =>
    database.db.tx((tx) => appendOutbox(tx, [messageOf(messageId)]));
  function startRelay(transport: ReturnType<typeof createTransport>, watch: ProgressWatch) {
    const relay = createRelay({ db: database.db, broker: transport, log, owner: 'wallet', watch });
    releases.push(() => relay.stop());
    relay.start();
  }

  it('an unconfirmed outbox is a stall of each daemon, with its own reason', async () => {
    const [first, second] = [startWatch(), startWatch()];
    let confirm: () => void = nothing;
    const stuck = createTransport(async () => {
      await new Promise<void>((resolve) => (confirm = resolve));
      return [];
    });
    await append('a');
    startRelay(stuck, first);
    await vi.waitFor(() => expect(stuck.calls).toHaveLength(1), { timeout: 20_000 });
    startRelay(createTransport(), second);
    await untilStalled(first, 'wallet.outbox', /not confirmed yet/);
    await untilStalled(second, 'wallet.outbox', /another daemon holds the relay lease until 20/);
    stuck.answer = () => Promise.resolve([]);
    confirm();
    await Promise.all([untilWell(first), untilWell(second)]);
    await vi.waitFor(() => expect(lines).toHaveLength(4), { timeout: 20_000 });
    expect(lines.sort()).toEqual([
      ...['wallet.outbox: no progress', 'wallet.outbox: no progress'],
      ...['wallet.outbox: progress again', 'wallet.outbox: progress again'],
    ]);
  });

  it('an outbox that another daemon sends is no stall while waiting for the lease', async () => {
    const [busy, waiting] = [startWatch(), startWatch()];
    const sender = createTransport(async () => {
      await sleep(100);
      return [];
    });
    startRelay(sender, busy);
    await append('0');
    await vi.waitFor(() => expect(sender.calls.length).toBeGreaterThan(0), { timeout: 20_000 });
    startRelay(createTransport(), waiting);
    // Never empty: more comes than is sent.
    const endsAt = performance.now() + stallMs * 2;
    for (let n = 1; performance.now() < endsAt; n += 1) {
      await append(String(n));
      await sleep(20);
    }
    await untilWell(waiting);
    expect(lines).toEqual([]);
  });

  it('an outbox table that cannot be read is reported', async () => {
    const watch = startWatch();
    startRelay(createTransport(), watch);
    await database.query('ALTER TABLE outbox RENAME TO outbox_elsewhere');
    await untilStalled(watch, 'wallet.outbox', /SQLSTATE 42P01/);
    await database.query('ALTER TABLE outbox_elsewhere RENAME TO outbox');
    await untilWell(watch);
  });
});

describe('mails', () => {
  let smtp: TestSmtpServer;
  let mailer: Mailer;
  beforeEach(async () => {
    database = await createTestDatabase('auth');
    smtp = await startSmtpServer({ disabledCommands: ['STARTTLS'] });
    releases.push(() => smtp.stop());
    mailer = createMailer({ url: `smtp://127.0.0.1:${smtp.port}`, from: 'wallet@bank.example' });
    releases.push(() => mailer.stop());
  });
  function startQueue(watch: ProgressWatch) {
    const compose = { test: () => Promise.resolve({ subject: 's', text: 't' }) };
    const queue = createMailQueue({ db: database.db, mailer, log, compose, watch });
    releases.push(() => queue.stop());
    queue.start();
    return queue;
  }
  const append = () =>
    database.db.tx((tx) => appendMail(tx, { kind: 'test', recipient: 'ana@example.com' }));

  it('mails whose recipient is refused permanently are dropped, and are no stall', async () => {
    const watch = startWatch();
    startQueue(watch);
    smtp.refuseWith({ code: 550, text: 'no such user' });
    await append();
    await vi.waitFor(async () => expect(await database.query('SELECT 1 FROM mails')).toEqual([]), {
      timeout: 10_000,
    });
    await sleep(stallMs * 2);
    await untilWell(watch);
    expect(lines).toEqual([]);
  });

  it('mails that are refused temporarily are a stall with the reply code', async () => {
    const watch = startWatch();
    startQueue(watch);
    smtp.refuseWith({ code: 450, text: 'try again, ana@example.com' });
    await append();
    await untilStalled(watch, 'auth.mails', /^the SMTP server refuses: 450 \(EENVELOPE\)$/);
    smtp.refuseWith(undefined);
    await untilWell(watch);
    expect(lines).toEqual(['auth.mails: no progress', 'auth.mails: progress again']);
  });

  it('mails that wait for an unavailable server are a stall', async () => {
    const watch = startWatch();
    await smtp.stop();
    releases.splice(0, 1);
    startQueue(watch);
    await append();
    await untilStalled(watch, 'auth.mails', /^the SMTP server is unavailable/);
  });
});

describe('projection', () => {
  beforeEach(async () => {
    database = await createTestDatabase('statement');
  });

  it('a missing statement line is a stall that names it, until it arrives', async () => {
    const watch = startWatch();
    const gaps = createGaps(database.db);
    watch.watchBacklog('statement.lines', gaps.findOldest);
    const recorder = { record: () => Promise.reject(new Error('no line contradicts another')) };
    const projection = createProjection(database.db, 'q', recorder, undefined, gaps);
    const userId = randomUUID();
    const walletId = walletIdOf(userId, 'BRL');
    const messages = makeMessages(userId, 5);
    const store = async (...seqs: number[]): Promise<void> => {
      const bodies = messages.filter((_message, i) => seqs.includes(i + 1));
      const handlings = await projection.handle(bodies);
      expect(handlings).toEqual(seqs.map(() => ({ kind: 'done' })));
    };
    await store(1, 3, 4);
    const reason = new RegExp(
      `line 2 of wallet ${walletId} is missing: walletd statements rebuild`,
    );
    await untilStalled(watch, 'statement.lines', reason);
    await store(2);
    await untilWell(watch);
    // A wallet that is met in the middle: its line before is there.
    const other = createProjection(database.db, 'q', recorder, undefined, createGaps(database.db));
    await other.handle(messages.slice(4));
    expect(lines).toEqual(['statement.lines: no progress', 'statement.lines: progress again']);
  });
});

/** The first lines of a wallet: deposits of 0.01. */
function makeMessages(userId: string, count: number): InboundMessage[] {
  const walletId = walletIdOf(userId, 'BRL');
  const lines = Array.from({ length: count }, (_, i) => ({
    ...{ walletId, userId, currency: 'BRL', transactionId: randomUUID(), seq: BigInt(i + 1) },
    ...({ operation: 'deposit', amountMinor: 1n, balanceAfterMinor: BigInt(i + 1) } as const),
    ...{ contraAccount: 'external:cash', parentId: undefined, description: undefined },
    ...{
      occurredAtMs: Date.parse('2026-11-01'),
      source: 'grpc',
      actor: userId,
      metadata: {},
      more: undefined,
    },
  }));
  return chainLines(lines).map(toMessage);
}
