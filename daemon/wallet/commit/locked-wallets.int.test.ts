import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import type { Rejection, Result } from '../../../core/reasons.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { holdLock, holdWallet } from '../../../tests/support/postgres/hold-lock.ts';
import { brlWalletOf, buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { createDb, type Db } from '../../platform/db/db.ts';
import { createLog } from '../../platform/log.ts';
import { createOptimisticCommit } from './optimistic-commit.ts';
import { newWallet, type Command, walletsOf } from '../domain.ts';
import type { AuditedDecision, AuditedCommand } from '../requests/audited-command.ts';
import { explainDefects } from './alarms.ts';
import { createGroupCommit, type GroupCommit } from './group-commit.ts';

const log = createLog('silent');
let test: TestDatabase;
let db: Db;
let group: GroupCommit<AuditedCommand, AuditedDecision>;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  db = createDb({
    url: test.url,
    name: 'commits',
    maxConnections: 6,
    lockTimeoutMs: 250,
    log,
  });
  group = createDaemon();
});

afterEach(async () => {
  await group.drain();
  await db.close();
  try {
    expect(await findLedgerFaults(test)).toEqual([]);
  } finally {
    await test.drop();
  }
});

const createDaemon = (): GroupCommit<AuditedCommand, AuditedDecision> =>
  createGroupCommit<AuditedCommand, AuditedDecision>({
    keysOf: (c) => walletsOf(c).map(({ id }) => id),
    maxCommits: 2,
    log,
    explain: explainDefects(log),
    commit: createOptimisticCommit(db),
  });

const waiting = () => ({ deadlineMs: performance.now() + 20_000, isCancelled: () => false });
const submit = (userId: string, fields: Partial<Command> = {}): Promise<Result<AuditedDecision>> =>
  group.submit(buildCommand(userId, fields), waiting());
const reasonOf = (result: Result<AuditedDecision>): string =>
  result.ok ? `seq ${result.value.entry.seq}` : result.rejection.reason;

/** Another transaction that has the wallet locked until it is ended. */
const lockWallet = (userId: string): Promise<() => Promise<void>> =>
  holdWallet(test.superUrl, userId);

/** Another transaction that is opening these wallets, until it is rolled back. */
function holdOpenings(userIds: readonly string[]): Promise<() => Promise<void>> {
  const refs = userIds.map((userId) => newWallet(brlWalletOf(userId)));
  const columns = 'id, user_id, currency, exponent, balance, seq, last_at, last_hash';
  return holdLock(
    test.superUrl,
    `INSERT INTO wallets (${columns}) SELECT id, user_id, 'BRL', 2, 0, 0, 'epoch', decode(hash, 'hex')
     FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS w (id, user_id, hash)`,
    [refs.map(({ id }) => id), userIds, refs.map(({ lastHash }) => lastHash)],
  );
}

const people = (count: number): string[] => Array.from({ length: count }, () => randomUUID());

describe('wallets locked by another transaction', () => {
  it.each(['remembered', 'not remembered'])('a locked wallet blocks no other: %s', async (how) => {
    const [stuck = '', ...others] = people(30);
    await Promise.all([stuck, ...others].map((one) => submit(one)));
    const release = await lockWallet(stuck);
    if (how === 'not remembered') group = createDaemon();
    const first = submit(stuck);
    for (let round = 2; round < 6; round += 1) {
      const results = await Promise.all(others.map((one) => submit(one)));
      expect(new Set(results.map(reasonOf))).toEqual(new Set([`seq ${round}`]));
    }
    expect(reasonOf(await first)).toBe('WALLET_BUSY');
    expect(reasonOf(await submit(stuck))).toBe('WALLET_BUSY');
    await release();
    expect(reasonOf(await submit(stuck))).toBe('seq 2');
  });

  it('transactions on a locked wallet wait in order, and are done once it is free', async () => {
    const [stuck = ''] = people(1);
    await submit(stuck);
    const release = await lockWallet(stuck);
    const keys = Array.from({ length: 40 }, (_, i) => `k${i}`);
    const patient = { ...waiting(), patienceMs: 20_000, busyAfterMs: 20_000 };
    const sent = keys.map((key) => group.submit(buildCommand(stuck, { key }), patient));
    await new Promise((resolve) => setTimeout(resolve, 400));
    await release();
    const results = await Promise.all(sent);
    expect(results.map(reasonOf)).toEqual(keys.map((_key, i) => `seq ${i + 2}`));
  });

  it('a run cancels what comes after a refusal, on the locked wallet only', async () => {
    const [stuck = '', other = ''] = people(2);
    await Promise.all([stuck, other].map((one) => submit(one)));
    const release = await lockWallet(stuck);
    const stopped = new Set<string>();
    const { completed } = await group.submitMany(
      Array.from({ length: 60 }, (_, i) => buildCommand(i % 2 ? other : stuck)),
      {
        ...waiting(),
        isCancelled: ({ wallet }: Command) => stopped.has(wallet.id),
        onGivenUp: (_rejection: Rejection, { wallet }: Command) => void stopped.add(wallet.id),
      },
    );
    const results = await completed;
    await release();
    const ofStuck = results.filter((_result, i) => i % 2 === 0).map(reasonOf);
    expect(ofStuck[0]).toBe('WALLET_BUSY');
    expect(new Set(ofStuck.slice(1))).toEqual(new Set(['CANCELLED']));
    const ofOther = results.filter((_result, i) => i % 2 === 1).map(reasonOf);
    expect(ofOther).toEqual(ofOther.map((_reason, i) => `seq ${i + 2}`));
  });

  it('a wallet being opened elsewhere does not keep others from being opened', async () => {
    const [stuck = '', ...others] = people(20);
    const release = await holdOpenings([stuck]);
    const first = submit(stuck);
    const results = await Promise.all(others.map((one) => submit(one)));
    expect(new Set(results.map(reasonOf))).toEqual(new Set(['seq 1']));
    expect(reasonOf(await first)).toBe('WALLET_BUSY');
    await release();
    expect(reasonOf(await submit(stuck))).toBe('seq 1');
  });

  it('a hundred locked wallets are refused with WALLET_BUSY, and others go on', async () => {
    const stuck = people(100);
    const others = people(20);
    await Promise.all([...stuck, ...others].map((one) => submit(one)));
    const release = await holdLock(
      test.superUrl,
      'SELECT 1 FROM wallets WHERE user_id = ANY($1) FOR UPDATE',
      [stuck],
    );
    const refused = Promise.all(stuck.map((one) => submit(one)));
    const results = await Promise.all(others.map((one) => submit(one)));
    expect(new Set(results.map(reasonOf))).toEqual(new Set(['seq 2']));
    expect(new Set((await refused).map(reasonOf))).toEqual(new Set(['WALLET_BUSY']));
    await release();
    expect(new Set((await Promise.all(stuck.map((one) => submit(one)))).map(reasonOf))).toEqual(
      new Set(['seq 2']),
    );
  });
});

describe('decisions during another transaction', () => {
  const tooMuch = { operation: 'withdraw', amountMinor: 1_000_000n } as const;
  const fields = { 'by a call': {}, 'by a message': { callerClass: 'message' } } as const;

  it.each(Object.entries(fields))('a debit %s on a locked wallet is busy', async (_by, by) => {
    const [owner = ''] = people(1);
    await submit(owner);
    const release = await lockWallet(owner);
    expect(reasonOf(await submit(owner, { ...tooMuch, ...by }))).toBe('WALLET_BUSY');
    expect(await test.query('SELECT 1 FROM inbox')).toEqual([]);
    await release();
    expect(reasonOf(await submit(owner, tooMuch))).toBe('INSUFFICIENT_FUNDS');
  });

  it.each(Object.entries(fields))('a debit %s while a wallet opens is busy', async (_by, by) => {
    const [owner = '', ...others] = people(10);
    const release = await holdOpenings([owner]);
    const results = Promise.all(others.map((other) => submit(other, tooMuch)));
    expect(reasonOf(await submit(owner, { ...tooMuch, ...by }))).toBe('WALLET_BUSY');
    expect(new Set((await results).map(reasonOf))).toEqual(new Set(['INSUFFICIENT_FUNDS']));
    expect(await test.query('SELECT 1 FROM inbox')).toEqual([]);
    await release();
    expect(reasonOf(await submit(owner, tooMuch))).toBe('INSUFFICIENT_FUNDS');
    expect(await test.query('SELECT 1 FROM wallets')).toEqual([]);
  });

  it('a lock on another row than a wallet’s refuses only the command that needs it', async () => {
    const [owner = '', ...others] = people(20);
    await Promise.all([owner, ...others].map((one) => submit(one)));
    const message = buildCommand(owner, { ...tooMuch, callerClass: 'message', key: 'm' });
    const release = await holdLock(
      test.superUrl,
      `INSERT INTO inbox (transaction_id, wallet_id, message_id, reason, message, metadata, rejected_at)
       VALUES ($1, $2, 'm', 'INSUFFICIENT_FUNDS', '', '{}', now())`,
      [message.transactionId, message.wallet.id],
    );
    const { completed } = await group.submitMany(
      [message, ...others.map((other) => buildCommand(other))],
      waiting(),
    );
    const [first, ...rest] = (await completed).map(reasonOf);
    expect(first).toBe('WALLET_BUSY');
    expect(new Set(rest)).toEqual(new Set(['seq 2']));
    await release();
  });
});

it('a committed command is answered even if a later opening of its batch fails', async () => {
  const [stuck = '', known = '', fresh = ''] = people(3);
  await submit(known);
  const release = await holdOpenings([stuck]);
  let transactions = 0;
  const failing: Db = {
    ...db,
    tx: (work) => {
      transactions += 1;
      const lost = Object.assign(new Error('connection lost'), { code: 'ECONNRESET' });
      return transactions > 2 ? Promise.reject(lost) : db.tx(work);
    },
  };
  const commands = [stuck, known, fresh].map((owner) => buildCommand(owner));
  expect(await createOptimisticCommit(failing)(commands, 'skip')).toMatchObject([
    'busy',
    { ok: true },
    'busy',
  ]);
  await release();
});

it('an opening that is busy is left out of the next commit, and others are done', async () => {
  const [stuck = '', ...fresh] = people(5);
  const release = await holdOpenings([stuck]);
  let transactions = 0;
  const counting: Db = {
    ...db,
    tx: (work) => {
      transactions += 1;
      return db.tx(work);
    },
  };
  const commit = createOptimisticCommit(counting);
  expect(await commit([buildCommand(stuck)], 'skip')).toEqual(['busy']);
  transactions = 0;
  const commands = [stuck, ...fresh].map((owner) => buildCommand(owner));
  const done = fresh.map(() => ({ ok: true }));
  expect(await commit(commands, 'skip')).toMatchObject(['busy', ...done]);
  expect(transactions).toBe(1);
  await release();
});

describe('defects of one wallet', () => {
  it('a defect of one wallet fails only its own transactions, with outcome not done', async () => {
    const [broken = '', other = ''] = people(2);
    await Promise.all([broken, other].map((one) => submit(one)));
    // An operation that this program does not know: reading the twin throws.
    await test.query('ALTER TABLE transactions DROP CONSTRAINT transactions_operation_check');
    const known = buildCommand(broken, { key: 'known' });
    await group.submit(known, waiting());
    await test.query('UPDATE transactions SET operation = 32 WHERE id = $1', [known.transactionId]);
    const sent = [known, ...Array.from({ length: 20 }, () => buildCommand(other))];
    const results = await Promise.all(sent.map((command) => group.submit(command, waiting())));
    await test.query('UPDATE transactions SET operation = 1 WHERE id = $1', [known.transactionId]);
    expect(results[0]).toMatchObject({
      rejection: { reason: 'INTERNAL', metadata: { outcome: 'not done' } },
    });
    expect(results.slice(1).map(reasonOf)).toEqual(
      Array.from({ length: 20 }, (_, i) => `seq ${i + 2}`),
    );
  });
});
