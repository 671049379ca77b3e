import { randomUUID } from 'node:crypto';

import { describe, expect, it, onTestFinished } from 'vitest';

import type { TransactionResult } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { readAudit } from '../../../tests/support/grpc/calls.ts';
import { outcomeOf } from '../../../tests/support/grpc/stream.ts';
import { holdWallet } from '../../../tests/support/postgres/hold-lock.ts';
import { startCommitCutter } from '../../../tests/support/postgres/commit-cutter.ts';
import { createDb } from '../../platform/db/db.ts';
import { createLog } from '../../platform/log.ts';
import { readItem } from '../requests/items.ts';
import { createKnownUsers } from '../requests/users.ts';
import {
  contextOf,
  countEntries,
  createBatchService,
  deposit,
  fee,
  groupOf,
  people,
  readBalances,
  times,
  transfer,
  useLedger,
  withdraw,
} from './test-support.ts';

const log = createLog('silent');
const { ana, bia, otto } = people;
const at = useLedger();
const balances = () => readBalances(at.database());

const metadataOf = ({ outcome }: TransactionResult) =>
  outcome?.$case === 'refusal' ? outcome.value.metadata : undefined;

const abortedBy = (failed: number, size: number, reason: string): string[] =>
  times(size, (i) => (i === failed ? reason : 'GROUP_ABORTED'));

describe('groups in a batch', () => {
  it('a payment and its fee are one commit, and open the wallet that is paid', async () => {
    const service = createBatchService(at.database());
    await service.send([deposit(ana, { amountMinor: 1_000n })]);
    const groupId = randomUUID();
    const group = groupOf([transfer(ana, bia, 990n), fee(ana, 10n)], groupId.toUpperCase());
    expect(await service.outcomes(group)).toEqual(['done', 'done']);
    expect(await balances()).toEqual({ [ana]: 0, [bia]: 990 });
    const rows = await at.database().query(
      `SELECT count(*)::int AS n, count(DISTINCT xmin::text)::int AS commits
       FROM transactions WHERE group_id = $1`,
      [groupId],
    );
    expect(rows).toEqual([{ n: 3, commits: 1 }]);
    expect(await service.outcomes(group)).toEqual(['replayed', 'replayed']);
  });

  it('a refused group changes nothing, opens no wallet, and others beside it are done', async () => {
    const service = createBatchService(at.database());
    const group = groupOf([deposit(ana), transfer(ana, bia, 50n), withdraw(ana)]);
    const results = await service.send([deposit(otto), ...group, deposit(bia)]);
    expect(results.map(outcomeOf)).toEqual([
      'STAFF_OWN_WALLET',
      ...abortedBy(2, 3, 'INSUFFICIENT_FUNDS'),
      'done',
    ]);
    expect(metadataOf(results[1]!)).toEqual({ item: '2', reason: 'INSUFFICIENT_FUNDS' });
    expect(await balances()).toEqual({ [bia]: 100 });
    expect(await countEntries(at.database())).toBe(1);
  });

  it('a used key among new ones refuses the group, by another daemon too', async () => {
    const daemons = times(2, () => createBatchService(at.database()));
    const used = deposit(ana);
    await daemons[0]!.send([used]);
    const groupId = randomUUID();
    const group = groupOf([deposit(bia), used, deposit(ana)], groupId);
    for (const daemon of daemons) {
      expect(await daemon.outcomes(group)).toEqual(abortedBy(1, 3, 'IDEMPOTENCY_KEY_REUSED'));
    }
    const first = groupOf([deposit(ana), deposit(bia)], groupId);
    expect(await daemons[0]!.outcomes(first)).toEqual(['done', 'done']);
    const grown = [...first, ...groupOf([deposit(ana)], groupId)];
    expect(await daemons[1]!.outcomes(grown)).toEqual(abortedBy(0, 3, 'IDEMPOTENCY_KEY_REUSED'));
    expect(await balances()).toEqual({ [ana]: 200, [bia]: 100 });
  });

  it('16 items are a group; 17, ids that are no UUID, and items apart are not', async () => {
    const service = createBatchService(at.database());
    expect(await service.outcomes(groupOf(times(16, () => deposit(ana))))).toEqual(
      times(16, () => 'done'),
    );
    const groupId = randomUUID();
    const bad = [
      ...groupOf(times(17, () => deposit(bia))),
      ...groupOf([deposit(bia)], 'group 7'),
      ...groupOf([deposit(bia)], groupId),
      deposit(bia),
      ...groupOf([deposit(bia)], groupId),
    ];
    const results = await service.send(bad);
    const single = bad.findIndex(({ groupId: id }) => id === undefined);
    results.forEach((result, i) => {
      if (i === single) expect(outcomeOf(result)).toBe('done');
      else {
        expect(outcomeOf(result)).toBe('INVALID_ARGUMENT');
        expect(metadataOf(result)).toEqual({ field: 'group_id' });
      }
    });
    expect(await balances()).toEqual({ [ana]: 1_600, [bia]: 100 });
  });

  it('each item needs a key, and a fee needs a group', async () => {
    const service = createBatchService(at.database());
    const group = groupOf([deposit(ana), deposit(ana, { idempotencyKey: ' ' })]);
    const results = await service.send([...group, fee(ana)]);
    expect(results.map(outcomeOf)).toEqual([
      ...abortedBy(1, 2, 'IDEMPOTENCY_KEY_REQUIRED'),
      'INVALID_ARGUMENT',
    ]);
    expect(metadataOf(results[2]!)).toEqual({ field: 'operation' });
  });

  it('the rights to every item are checked before any is done, and denials are recorded', async () => {
    const service = createBatchService(at.database());
    const group = groupOf([deposit(ana), deposit(bia), transfer(ana, otto, 1n)]);
    expect(await service.outcomes(group)).toEqual(abortedBy(2, 3, 'STAFF_OWN_WALLET'));
    expect(await balances()).toEqual({});
    const readDenied = async () => (await readAudit(at.database())).map(({ action }) => action);
    await expect.poll(readDenied, { timeout: 20_000 }).toEqual(['denied batchCreateTransactions']);
  });

  it('a dry run decides groups as they would be, and changes nothing', async () => {
    const service = createBatchService(at.database());
    const items = [
      ...groupOf([deposit(ana, { amountMinor: 10n }), fee(ana, 3n)]),
      ...groupOf([fee(ana, 7n), withdraw(ana, { amountMinor: 1n })]),
      withdraw(ana, { amountMinor: 7n }),
    ];
    const wanted = ['done', 'done', ...abortedBy(1, 2, 'INSUFFICIENT_FUNDS'), 'done'];
    expect(await service.outcomes(items, { dryRun: true })).toEqual(wanted);
    expect(await countEntries(at.database())).toBe(0);
    expect(await service.outcomes(items)).toEqual(wanted);
  });

  it('groups are audited with the counts of their items', async () => {
    const service = createBatchService(at.database());
    await service.send([...groupOf([deposit(ana), fee(ana)]), ...groupOf([fee(ana), fee(bia)])]);
    expect(await readAudit(at.database())).toMatchObject([
      { action: 'transaction.batch', details: { created: '2', replayed: '0', rejected: '2' } },
    ]);
  });
});

describe('groups under concurrency', () => {
  it('50 sends of one group by two daemons have one effect and equal answers', async () => {
    const daemons = times(2, () => createBatchService(at.database()));
    await daemons[0]!.send([deposit(ana)]);
    const group = groupOf([transfer(ana, bia, 60n), fee(ana), withdraw(ana, { amountMinor: 39n })]);
    const all = await Promise.all(times(50, (i) => daemons[i % 2]!.outcomes(group)));
    expect(all.filter((outcomes) => outcomes.includes('done'))).toEqual([times(3, () => 'done')]);
    const others = all.filter((outcomes) => !outcomes.includes('done'));
    expect(others).toEqual(times(49, () => times(3, () => 'replayed')));
    expect(await balances()).toEqual({ [ana]: 0, [bia]: 60 });
  });

  it('groups that share wallets in opposite order are done or refused as a whole', async () => {
    const daemons = times(2, () => createBatchService(at.database()));
    const ring = times(4, () => randomUUID());
    await daemons[0]!.send(ring.map((userId) => deposit(userId, { amountMinor: 60n })));
    const groups = times(120, (i) => {
      const order = i % 2 === 0 ? ring : ring.toReversed();
      const one = (k: number) => transfer(order[k % 4]!, order[(k + 1) % 4]!, BigInt(20 + (i % 9)));
      return groupOf([one(i), one(i + 1), fee(order[(i + 2) % 4]!)]);
    });
    const answers = await Promise.all(groups.map((group, i) => daemons[i % 2]!.outcomes(group)));
    for (const outcomes of answers) {
      const isDone = outcomes.every((outcome) => outcome === 'done');
      if (!isDone)
        expect(outcomes.toSorted()).toEqual([
          'GROUP_ABORTED',
          'GROUP_ABORTED',
          'INSUFFICIENT_FUNDS',
        ]);
    }
    const done = answers.filter(([first]) => first === 'done');
    expect(done.length).toBeGreaterThan(0);
    const sizes = await at
      .database()
      .query<{ n: number }>(
        'SELECT count(*)::int AS n FROM transactions WHERE group_id IS NOT NULL GROUP BY group_id',
      );
    expect(sizes).toEqual(done.map(() => ({ n: 5 })));
    const sum = Object.values(await balances()).reduce((a, b) => a + b, 0);
    expect(sum).toBe(240 - done.length);
  });

  it('a locked wallet in the middle refuses the group, and wallets of no group go on', async () => {
    const [cai, dora] = times(2, () => randomUUID()) as [string, string];
    const limits = { maxConnections: 4, lockTimeoutMs: 100 };
    const { url } = at.database();
    const commitDb = createDb({ url, name: 'groups', log, ...limits });
    onTestFinished(() => commitDb.close());
    const service = createBatchService(at.database(), { commitDb });
    await service.send([ana, bia, cai, dora].map((userId) => deposit(userId)));
    const release = await holdWallet(at.database().url, bia);
    const group = groupOf([withdraw(ana), withdraw(bia), withdraw(cai)]);
    const results = service.outcomes([...group, withdraw(dora), withdraw(ana)]);
    expect(await results).toEqual([...times(3, () => 'WALLET_BUSY'), 'done', 'WALLET_BUSY']);
    await release();
    expect(await balances()).toEqual({ [ana]: 100, [bia]: 100, [cai]: 100, [dora]: 0 });
    expect(await service.outcomes(group)).toEqual(['done', 'done', 'done']);
  });

  it('a group that waits for a lock is done once it is released', async () => {
    const service = createBatchService(at.database());
    await service.send([deposit(ana), deposit(bia)]);
    const release = await holdWallet(at.database().url, bia);
    const results = service.outcomes(groupOf([withdraw(ana), withdraw(bia)]));
    await release();
    expect(await results).toEqual(['done', 'done']);
  });

  it('a full outbox refuses new groups, and answers those that were done', async () => {
    const service = createBatchService(at.database());
    const group = groupOf([deposit(ana), fee(ana)]);
    await service.send(group);
    service.state.isOutboxFull = true;
    expect(await service.outcomes(group)).toEqual(['replayed', 'replayed']);
    const fresh = groupOf([deposit(ana), fee(ana)]);
    expect(await service.outcomes(fresh)).toEqual(abortedBy(0, 2, 'OUTBOX_FULL'));
  });
});

it('a group is done once after lost answers to COMMIT, and is no replay', async () => {
  const cutter = await startCommitCutter(at.database().url);
  const commitDb = createDb({ url: cutter.url, name: 'cut', maxConnections: 4, log });
  onTestFinished(async () => {
    await commitDb.close();
    await cutter.stop();
  });
  const service = createBatchService(at.database(), { commitDb });
  await service.send([deposit(ana, { amountMinor: 1_000n })]);
  cutter.cut(2);
  const groups = times(8, () => groupOf([transfer(ana, bia, 100n), fee(ana, 5n)]));
  const all = await Promise.all(groups.map((group) => service.outcomes(group)));
  expect(cutter.cuts).toBe(2);
  expect(all).toEqual(times(8, () => ['done', 'done']));
  expect(await balances()).toEqual({ [ana]: 160, [bia]: 800 });
});

it('a call with one item has no group', async () => {
  const options = {
    ...{ db: at.database().db, users: createKnownUsers((ids) => Promise.resolve(new Set(ids))) },
    ...{ defaultCurrency: 'BRL', selfServiceOperations: new Set<never>() },
    localOperations: new Set<never>(),
  };
  for (const one of [deposit(ana), fee(ana)]) {
    const read = await readItem(options, { ...one, groupId: randomUUID() }, contextOf());
    expect(read).toMatchObject({
      rejection: { reason: 'INVALID_ARGUMENT', metadata: { field: 'group_id' } },
    });
  }
});
