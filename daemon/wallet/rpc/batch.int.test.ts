import { randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { transactionIdOf, walletIdOf } from '../../../core/ids.ts';
import {
  BatchCreateTransactionsResponse,
  Operation,
  type TransactionResult,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { readAudit } from '../../../tests/support/grpc/calls.ts';
import { item } from '../../../tests/support/grpc/client.ts';
import { outcomeOf } from '../../../tests/support/grpc/stream.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import {
  contextOf,
  countEntries,
  createBatchService,
  deposit,
  people,
  times,
  useLedger,
  withdraw,
} from './test-support.ts';

const { ana, bia, otto } = people;
const at = useLedger();

const idsOf = (results: readonly TransactionResult[]) =>
  results.map(({ outcome }) =>
    outcome?.$case === 'created' ? outcome.value.transaction?.id : outcome?.value.reason,
  );
describe('results', () => {
  it('a batch has one result per item, in order, and a refused item affects no other', async () => {
    const key = randomUUID();
    const items = [
      withdraw(ana),
      deposit(ana, { idempotencyKey: key }),
      deposit(ana, { idempotencyKey: key }),
      deposit(ana, { idempotencyKey: key, amountMinor: 5n }),
      withdraw(ana, { amountMinor: 101n }),
      deposit(bia, { amountMinor: 0n }),
      deposit(''),
      deposit(otto),
      withdraw(ana),
      withdraw(ana),
    ];
    expect(await createBatchService(at.database()).outcomes(items)).toEqual([
      'INSUFFICIENT_FUNDS',
      'done',
      'replayed',
      'IDEMPOTENCY_KEY_REUSED',
      'INSUFFICIENT_FUNDS',
      'AMOUNT_INVALID',
      'USER_REQUIRED',
      'STAFF_OWN_WALLET',
      'done',
      'INSUFFICIENT_FUNDS',
    ]);
    expect(await countEntries(at.database())).toBe(2);
  });

  it('a batch of 1,000 items applies those of each wallet in order', async () => {
    const users = times(7, () => randomUUID());
    const items = times(1_000, (i) => deposit(users[i % 7]!, { amountMinor: BigInt(i + 1) }));
    const results = await createBatchService(at.database()).send(items);
    const seqs = new Map<string, bigint>();
    results.forEach(({ outcome }, i) => {
      if (outcome?.$case !== 'created') throw new Error('an item was refused');
      const { userId = '', seq, amountMinor } = outcome.value.transaction ?? {};
      expect([userId, amountMinor]).toEqual([items[i]?.userId, BigInt(i + 1)]);
      expect(seq).toBe((seqs.get(userId) ?? 0n) + 1n);
      seqs.set(userId, seq ?? 0n);
    });
    expect(results).toHaveLength(1_000);
  });

  it('a batch takes a parent in another currency and its undo', async () => {
    const key = randomUUID();
    const parentId = transactionIdOf(walletIdOf(ana, 'JPY'), 'staff', key);
    const undo = item({ userId: ana, operation: Operation.REVERSAL, parentId });
    const items = [deposit(ana, { currency: 'JPY', idempotencyKey: key }), undo];
    expect(await createBatchService(at.database()).outcomes(items)).toEqual(['done', 'done']);
  });

  it('the same batch again has the same results, as replays', async () => {
    const service = createBatchService(at.database());
    const items = [
      ...times(20, () => deposit(ana)),
      withdraw(bia),
      ...times(5, () => withdraw(ana)),
    ];
    const first = await service.send(items);
    const again = await service.send(items);
    expect(idsOf(again)).toEqual(idsOf(first));
    expect(again.map(outcomeOf)).toEqual(
      first.map(outcomeOf).map((outcome) => (outcome === 'done' ? 'replayed' : outcome)),
    );
    expect(await countEntries(at.database())).toBe(25);
  });

  it('50 equal batches at once, on two daemons, have one effect', async () => {
    const daemons = [createBatchService(at.database()), createBatchService(at.database())];
    const items = [...times(10, () => deposit(ana)), ...times(5, () => withdraw(ana))];
    const all = await Promise.all(times(50, (i) => daemons[i % 2]!.send(items)));
    const [first] = all;
    for (const results of all) expect(idsOf(results)).toEqual(idsOf(first!));
    const done = all.flat().filter((result) => outcomeOf(result) === 'done');
    expect(done).toHaveLength(15);
    expect(await countEntries(at.database())).toBe(15);
  });

  it('a batch without items is refused, with the field', async () => {
    const [result] = await createBatchService(at.database()).send([]);
    expect(result).toMatchObject({
      outcome: { value: { reason: 'call: INVALID_ARGUMENT', metadata: { field: 'items' } } },
    });
  });

  it('replays with more text than fits lack it, and say so', async () => {
    const service = createBatchService(at.database());
    const metadata = Object.fromEntries(
      times(16, (i) => [`key ${i}`.padEnd(250, 'k'), 'v'.repeat(250)]),
    );
    const keys = times(1_000, (i) => `large ${i}`);
    for (const part of [keys.slice(0, 500), keys.slice(500)]) {
      await service.send(part.map((key) => deposit(ana, { idempotencyKey: key, metadata })));
    }
    const results = await service.send(keys.map((key) => deposit(ana, { idempotencyKey: key })));
    expect(new Set(results.map(outcomeOf))).toEqual(new Set(['replayed']));
    const isAbridged = ({ outcome }: TransactionResult): boolean =>
      outcome?.$case === 'created' && outcome.value.abridged === true;
    expect(results.findIndex(isAbridged)).toBeGreaterThan(30);
    expect(results.filter(isAbridged)).toHaveLength(1_000 - results.findIndex(isAbridged));
    const { length } = BatchCreateTransactionsResponse.encode({ results }).finish();
    expect(length).toBeLessThan(2 * 1024 * 1024);
  });
});

describe('rights and audit log', () => {
  it('an API key reaches only its wallet and operations, and each denial is recorded', async () => {
    const key = { keyId: 'k', userId: ana, role: 'customer', scopes: ['transactions:write'] };
    const bounds = { walletId: walletIdOf(ana, 'BRL'), operations: ['deposit'] };
    const apiKey = { ...key, ...bounds, expiresAtMs: Infinity, hasOwnerTotp: false, asOfMs: 0 };
    const principal = { kind: 'user', userId: ana, role: 'customer', sessionId: undefined, apiKey };
    const context = contextOf({ principal: principal as unknown as CallContext['principal'] });
    const items = [deposit(ana), deposit(ana, { currency: 'USD' }), withdraw(ana), deposit(bia)];
    expect(await createBatchService(at.database()).outcomes(items, { context })).toEqual([
      'done',
      'PERMISSION_DENIED',
      'OPERATION_NOT_ALLOWED',
      'USER_NOT_FOUND',
    ]);
    // They are written after the answer.
    const readDenied = async () => {
      const actions = (await readAudit(at.database())).map(({ action }) => action);
      return actions.filter((action) => action.startsWith('denied'));
    };
    await expect
      .poll(readDenied, { timeout: 20_000 })
      .toEqual(Array.from({ length: 3 }, () => 'denied batchCreateTransactions'));
  });

  it('a batch of staff is audited with the counts of its items', async () => {
    const same = deposit(ana);
    await createBatchService(at.database()).send([
      same,
      same,
      withdraw(ana, { amountMinor: 101n }),
    ]);
    expect(await readAudit(at.database())).toMatchObject([
      {
        action: 'transaction.batch',
        actor: otto,
        target: ana,
        details: { created: '1', replayed: '1', rejected: '1' },
      },
    ]);
  });

  it('a dry run sees its own earlier items, changes nothing, and is audited for staff', async () => {
    const items = [withdraw(ana), deposit(ana), withdraw(ana), withdraw(ana)];
    const service = createBatchService(at.database());
    const outcomes = ['INSUFFICIENT_FUNDS', 'done', 'done', 'INSUFFICIENT_FUNDS'];
    expect(await service.outcomes(items, { dryRun: true })).toEqual(outcomes);
    expect(await service.outcomes(items, { dryRun: true })).toEqual(outcomes);
    expect(await countEntries(at.database())).toBe(0);
    const details = { items: '4', done: '2', replayed: '0', refused: '2' };
    const line = { action: 'transaction.dry_run', actor: otto, details };
    expect(await readAudit(at.database())).toMatchObject([line, line]);
  });
});
