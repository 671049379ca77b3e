import { describe, expect, it } from 'vitest';

import { startCommitCutter } from '../../../tests/support/postgres/commit-cutter.ts';
import { holdWallet } from '../../../tests/support/postgres/hold-lock.ts';
import { createDb } from '../../platform/db/db.ts';
import { createLog } from '../../platform/log.ts';
import {
  contextOf,
  countEntries,
  createBatchService,
  deposit,
  people,
  staff,
  times,
  useLedger,
  withdraw,
} from './test-support.ts';

const log = createLog('silent');
const { ana, bia } = people;
const at = useLedger();

describe('failures', () => {
  it('a locked wallet stops its own items of a batch, and the next batch does them', async () => {
    const limits = { maxConnections: 4, lockTimeoutMs: 100 };
    const db = createDb({ url: at.database().url, name: 'commits', ...limits, log });
    const service = createBatchService(at.database(), { commitDb: db });
    await service.send([deposit(ana), deposit(bia)]);
    const items = [withdraw(ana), withdraw(bia), deposit(ana)];
    const release = await holdWallet(at.database().superUrl, ana);
    expect(await service.outcomes(items)).toEqual(['WALLET_BUSY', 'done', 'WALLET_BUSY']);
    await release();
    expect(await service.outcomes(items)).toEqual(['done', 'replayed', 'done']);
    await db.close();
  });

  it('a defect of one item stops the later ones on its wallet only', async () => {
    const service = createBatchService(at.database());
    const known = deposit(ana);
    await service.send([known]);
    // An operation that this program does not know: reading the original throws.
    await at
      .database()
      .query('ALTER TABLE transactions DROP CONSTRAINT transactions_operation_check');
    await at.database().query('UPDATE transactions SET operation = 32');
    const items = [deposit(bia), known, deposit(ana), deposit(bia)];
    const outcomes = await createBatchService(at.database()).outcomes(items);
    await at.database().query('UPDATE transactions SET operation = 1 WHERE operation = 32');
    expect(outcomes).toEqual(['done', 'INTERNAL', 'INTERNAL', 'done']);
    expect(await countEntries(at.database())).toBe(3);
    expect(await service.outcomes(items)).toEqual(['replayed', 'replayed', 'done', 'replayed']);
  });

  it('a batch goes on after lost answers to COMMIT, and nothing is done twice', async () => {
    const cutter = await startCommitCutter(at.database().url);
    const db = createDb({ url: cutter.url, name: 'wallet', maxConnections: 4, log });
    try {
      const service = createBatchService(at.database(), { commitDb: db });
      await service.send([deposit(ana)]);
      cutter.cut(3);
      const outcomes = await service.outcomes(times(300, (i) => deposit(i % 2 ? ana : bia)));
      expect(cutter.cuts).toBe(3);
      expect(outcomes).toHaveLength(300);
      expect(outcomes.filter((o) => o !== 'done' && o !== 'replayed')).toEqual([]);
      expect(await countEntries(at.database())).toBe(301);
    } finally {
      await db.close();
      await cutter.stop();
    }
  });

  it('each item in a COMMIT that is not answered in time is OUTCOME_UNKNOWN', async () => {
    let answer: () => void = () => undefined;
    let answered: Promise<void> | undefined;
    const service = createBatchService(at.database(), { afterCommit: async () => answered });
    await service.send([deposit(ana)]);
    answered = new Promise((resolve) => (answer = resolve));
    const items = [withdraw(ana), deposit(bia), deposit(bia, { amountMinor: -1n })];
    const context = contextOf({ deadlineMs: performance.now() + 2_000 });
    const unknown = ['OUTCOME_UNKNOWN', 'OUTCOME_UNKNOWN', 'AMOUNT_INVALID'];
    expect(await service.outcomes(items, { context })).toEqual(unknown);
    answered = undefined;
    answer();
    await service.groupCommit.drain();
    expect(await service.outcomes(items)).toEqual(['replayed', 'replayed', 'AMOUNT_INVALID']);
  });

  it('a batch that finds no room in the queue is refused whole, and is not done later', async () => {
    let answer: () => void = () => undefined;
    const answered = new Promise<void>((resolve) => (answer = resolve));
    const limits = { all: 20_000, ofOne: 20_000, waitMs: 1_000 };
    const service = createBatchService(at.database(), { limits, afterCommit: () => answered });
    // More than may wait behind a commit that takes long.
    const large = times(12, () => times(1_000, () => deposit(ana)));
    const full = large.map((items) => service.send(items));
    const late = [deposit(bia)];
    expect(await service.outcomes(late)).toEqual(['call: OVERLOADED']);
    answer();
    await Promise.all(full);
    await service.groupCommit.drain();
    const { length } = await at.database().query('SELECT 1 FROM wallets WHERE user_id = $1', [bia]);
    expect(length).toBe(0);
    expect(await service.outcomes(late)).toEqual(['done']);
  });

  it('batches have a limit of items in flight, of all users and of one', async () => {
    const service = createBatchService(at.database(), {
      limits: { all: 30, ofOne: 20, waitMs: 5_000 },
    });
    const [ten, eleven] = [10, 11].map((count) => times(count, () => deposit(ana)));
    const other = contextOf({ principal: { ...staff, userId: bia, apiKey: undefined } });
    const answers = await Promise.all([
      service.outcomes(ten!),
      service.outcomes(eleven!),
      service.outcomes([...ten!, ...ten!, deposit(ana)], { context: other }),
      service.outcomes(ten!, { context: other }),
    ]);
    expect(answers.map(([first]) => first)).toEqual([
      'done',
      'call: OVERLOADED',
      'call: OVERLOADED',
      'replayed',
    ]);
    expect(await service.outcomes(times(20, () => deposit(ana)))).toEqual(Array(20).fill('done'));
  });

  it('with a full outbox a batch does nothing new, and answers what was done', async () => {
    const service = createBatchService(at.database());
    const first = deposit(ana);
    await service.send([first]);
    service.state.isOutboxFull = true;
    expect(await service.outcomes([first, deposit(bia)])).toEqual(['replayed', 'OUTBOX_FULL']);
    expect(await countEntries(at.database())).toBe(1);
  });

  it('without the auth service the items of unknown users are AUTH_UNAVAILABLE', async () => {
    const service = createBatchService(at.database());
    service.state.isAuthAway = true;
    const items = [deposit(ana), deposit(ana, { amountMinor: 0n })];
    expect(await service.outcomes(items)).toEqual(['AUTH_UNAVAILABLE', 'AMOUNT_INVALID']);
    expect(await countEntries(at.database())).toBe(0);
  });

  it('nothing is begun for a caller who is gone', async () => {
    const context = contextOf({ isCancelled: () => true });
    expect(await createBatchService(at.database()).outcomes([deposit(ana)], { context })).toEqual([
      'CANCELLED',
    ]);
    expect(await countEntries(at.database())).toBe(0);
  });
});
