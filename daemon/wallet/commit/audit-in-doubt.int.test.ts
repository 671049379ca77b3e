import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { callAs, readAudit } from '../../../tests/support/grpc/calls.ts';
import { brlWalletOf, buildCommand } from '../../../tests/support/ledger/build-command.ts';
import {
  startCommitCutter,
  type CommitCutter,
} from '../../../tests/support/postgres/commit-cutter.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createDb, type Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { createLog } from '../../platform/log.ts';
import type { Command } from '../domain.ts';
import { withAudit } from '../requests/audit.ts';
import type { AuditedCommand, AuditedDecision } from '../requests/audited-command.ts';
import { explainDefects } from './alarms.ts';
import { createGroupCommit } from './group-commit.ts';
import { createOptimisticCommit } from './optimistic-commit.ts';
import { walletsOf } from '../domain.ts';

const log = createLog('silent');
let test: TestDatabase;
let cutter: CommitCutter;
let db: Db;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  cutter = await startCommitCutter(test.url);
  db = createDb({ url: cutter.url, name: 'cut', maxConnections: 4, log });
});

afterEach(async () => {
  await db.close();
  await cutter.stop();
  await test.drop();
});

/** All commands share commits. `defects`: commits that fail in between. */
function createDaemon(defects: ReadonlySet<number> = new Set(), onDefect?: () => void) {
  const commit = createOptimisticCommit(db);
  const sizes: number[] = [];
  const group = createGroupCommit<AuditedCommand, AuditedDecision>({
    keysOf: (c) => walletsOf(c).map(({ id }) => id),
    maxCommits: 2,
    log,
    explain: explainDefects(log),
    commit: (commands, mode) => {
      sizes.push(commands.length);
      if (!defects.has(sizes.length)) return commit(commands, mode);
      onDefect?.();
      return Promise.reject(new Error('a defect'));
    },
  });
  const waiting = () => ({ deadlineMs: performance.now() + 20_000, isCancelled: () => false });
  return { sizes, submit: (c: AuditedCommand) => group.submit(c, waiting()) };
}

const users = Array.from({ length: 7 }, () => randomUUID());
const operators = [
  callAs(randomUUID(), 'operator'),
  callAs(randomUUID(), 'operator'),
  callAs(randomUUID(), 'operator', {}),
];

type Submitted = { readonly command: AuditedCommand; readonly context: CallContext };

/** The nth submission, under a request id of its own. */
function submissionOf(n: number, fields: Partial<Command> = {}): Submitted {
  const { principal, ...rest } = operators[n % operators.length] ?? operators[0]!;
  const context = { ...rest, principal, requestId: randomUUID() };
  const actor = principal.kind === 'user' ? principal.userId : '';
  const command = buildCommand(users[n % users.length] ?? '', {
    ...{ callerClass: 'staff', actor, amountMinor: BigInt(n + 1) },
    ...fields,
  });
  return { command: withAudit(command, context), context };
}

/** Submits all, and checks that each has exactly one line, with what its caller was answered. */
async function submitAll(submit: ReturnType<typeof createDaemon>['submit'], all: Submitted[]) {
  const results = await Promise.all(all.map(({ command }) => submit(command)));
  const wanted = all.map(({ command, context }, i) => {
    const result = results[i];
    if (!result) throw new Error('no answer');
    const done = result.ok ? (result.value.isReplayed ? 'replayed' : 'ok') : undefined;
    const { principal, requestId } = context;
    return {
      actor: principal.kind === 'user' ? principal.userId : '',
      requestId,
      target: command.wallet.userId,
      result: done ?? (result.ok ? '' : result.rejection.reason),
      transactionId: command.transactionId,
      apiKeyId: principal.kind === 'user' ? principal.apiKey?.keyId : undefined,
    };
  });
  return { results, wanted };
}

async function readLines() {
  const lines = await readAudit(test);
  expect(new Set(lines.map(({ id }) => id)).size).toBe(lines.length);
  return lines.map(({ actor, requestId, target, result, details }) => {
    const { transactionId, apiKeyId } = details;
    return { actor, requestId, target, result, transactionId, apiKeyId };
  });
}

const byRequest = (a: { requestId: string }, b: { requestId: string }): number =>
  a.requestId < b.requestId ? -1 : 1;

/** 40 submissions: new ones, one refused, and one whose key was used in a commit before. */
async function prepare(submit: ReturnType<typeof createDaemon>['submit']) {
  const known = submissionOf(0, { key: 'known' });
  const before = await submitAll(submit, [known, submissionOf(1), submissionOf(2)]);
  const all = Array.from({ length: 40 }, (_, n) => submissionOf(n));
  all[13] = submissionOf(13, { operation: 'withdraw', amountMinor: 900_000n });
  all[21] = submissionOf(21, { key: 'known', amountMinor: 1n });
  return { before: before.wanted, all };
}

describe.each([
  ['was committed', false],
  ['was not committed', true],
])('a commit without an answer that %s', (_what, isLost) => {
  it('each submission has one line after it was decided again with the same neighbours', async () => {
    const daemon = createDaemon();
    const { before, all } = await prepare(daemon.submit);
    cutter.cut(2, isLost);
    const { wanted } = await submitAll(daemon.submit, all);
    expect(cutter.cuts).toBe(2);
    expect(wanted.filter(({ result }) => result === 'ok')).toHaveLength(38);
    expect(wanted[13]?.result).toBe('INSUFFICIENT_FUNDS');
    expect(wanted[21]?.result).toBe('replayed');
    expect((await readLines()).sort(byRequest)).toEqual([...before, ...wanted].sort(byRequest));
  });

  it('what was refused before a deposit stays refused, with one line', async () => {
    const daemon = createDaemon();
    const own = { wallet: submissionOf(3).command.wallet };
    const { wanted: before } = await submitAll(daemon.submit, [submissionOf(3, own)]);
    const withdraw = submissionOf(4, { ...own, operation: 'withdraw', amountMinor: 50n });
    const all = [withdraw, submissionOf(5, { ...own, amountMinor: 100n })];
    cutter.cut(1, isLost);
    const { wanted } = await submitAll(daemon.submit, all);
    expect(cutter.cuts).toBe(1);
    expect(wanted.map(({ result }) => result)).toEqual(['INSUFFICIENT_FUNDS', 'ok']);
    expect((await readLines()).sort(byRequest)).toEqual([...before, ...wanted].sort(byRequest));
  });

  it('each submission has one line after it was decided again in halves', async () => {
    const after = 1;
    // The commit that is in doubt, then two that fail: halves of halves are committed.
    const daemon = createDaemon(new Set([after + 2, after + 3]));
    const { before, all } = await prepare(daemon.submit);
    expect(daemon.sizes).toHaveLength(after);
    cutter.cut(1, isLost);
    const { wanted } = await submitAll(daemon.submit, all);
    expect(cutter.cuts).toBe(1);
    expect(daemon.sizes.slice(after)).toEqual([40, 40, 20, 10, 10, 20]);
    expect(wanted.filter(({ result }) => result === 'ok')).toHaveLength(38);
    expect((await readLines()).sort(byRequest)).toEqual([...before, ...wanted].sort(byRequest));
  });

  it('each submission has one line if a half is in doubt again', async () => {
    // Behind the defect the batch is committed in halves.
    const daemon = createDaemon(new Set([3]), () => {
      cutter.cut(2, !isLost);
    });
    const { before, all } = await prepare(daemon.submit);
    cutter.cut(1, isLost);
    const { wanted } = await submitAll(daemon.submit, all);
    expect(cutter.cuts).toBe(3);
    expect((await readLines()).sort(byRequest)).toEqual([...before, ...wanted].sort(byRequest));
  });
});

it('the new transactions of an actor in a commit are one row of the audit log', async () => {
  const { submit } = createDaemon();
  const all = Array.from({ length: 30 }, (_, n) => submissionOf(n));
  const { wanted } = await submitAll(submit, all);
  expect(await readLines()).toHaveLength(wanted.length);
  const rows = await test.query<{ line_count: number }>('SELECT line_count FROM audit_log');
  expect(rows.map((row) => row.line_count)).toEqual([10, 10, 10]);
});

it('transfers beside other transactions of an actor have their lines, with all details', async () => {
  const { submit } = createDaemon();
  const by = operators.length;
  const funds = Array.from({ length: 7 }, (_, n) => submissionOf(n, { amountMinor: 1_000n }));
  await submitAll(submit, funds);
  const all = Array.from({ length: 60 }, (_, i) => {
    const n = i * by;
    const other = brlWalletOf(users[(n + 1) % users.length] ?? '');
    const transfer: Partial<Command> = { operation: 'transfer', amountMinor: 1n, more: { other } };
    return submissionOf(n, i % 3 === 0 ? transfer : {});
  });
  const { results } = await submitAll(submit, all);
  expect(results.filter(({ ok }) => ok)).toHaveLength(all.length);
  const lines = await readAudit(test);
  const others = new Map(lines.map(({ details }) => [details['transactionId'], details]));
  for (const { command } of all) {
    expect(others.get(command.transactionId)?.['otherUserId']).toBe(command.more?.other?.userId);
  }
  expect(lines).toHaveLength(funds.length + all.length);
});
