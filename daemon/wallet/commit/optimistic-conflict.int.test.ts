import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import { buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { readClock, type Db } from '../../platform/db/db.ts';
import { createOptimisticCommit } from './optimistic-commit.ts';
import type { Command } from '../domain.ts';
import { readWallets } from '../store/store.ts';
import { raiseReadWatermark, updateStatus } from '../store/writes.ts';

let test: TestDatabase;
let userId: string;
/** Names of the statements that the commits under test sent. */
let sent: string[];
/** Done once, between what a commit reads first and what it writes. */
let meanwhile: (() => Promise<unknown>) | undefined;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  userId = randomUUID();
  sent = [];
  meanwhile = undefined;
});

afterEach(async () => {
  try {
    expect(await findLedgerFaults(test)).toEqual([]);
  } finally {
    await test.drop();
  }
});

const interfere = async (): Promise<void> => {
  const now = meanwhile;
  meanwhile = undefined;
  await now?.();
};

/** The test's database, with an eye on what is sent. */
const watched = (): Db => ({
  ...test.db,
  tx: (work) =>
    test.db.tx((tx, sendCommit) =>
      work(
        {
          ...tx,
          query: async (statement, values) => {
            sent.push(statement.name);
            const rows = await tx.query<never>(statement, values);
            if (statement.name === 'clock') await interfere();
            return rows;
          },
          execute: async (statement, values) => {
            sent.push(statement.name);
            return tx.execute(statement, values);
          },
        },
        sendCommit,
      ),
    ),
});

/** Resolves once a backend of this database waits for a lock. */
async function waitForWaiting(): Promise<void> {
  const text = `SELECT FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'`;
  while ((await test.query(text)).length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

const command = (fields: Partial<Command> = {}, key?: string): Command =>
  buildCommand(userId, { ...(key === undefined ? {} : { key }), ...fields });

const withdraw = (amountMinor: bigint, fields: Partial<Command> = {}, key?: string): Command =>
  command({ operation: 'withdraw', amountMinor, ...fields }, key);

/** A daemon that remembers the wallet, and another one on the same database. */
async function createDaemons() {
  const here = createOptimisticCommit(watched());
  const there = createOptimisticCommit(test.db);
  await here([command()]);
  sent = [];
  return { here, there };
}

describe('wallet state cache', () => {
  it('a cached wallet state is neither locked nor read again', async () => {
    const { here } = await createDaemons();
    for (let i = 0; i < 3; i += 1) {
      expect(await here([command(), withdraw(50n)])).toMatchObject([{ ok: true }, { ok: true }]);
    }
    expect(sent.filter((name) => /^wallet_(lock|read|open)$|^entry_by_id$/.test(name))).toEqual([]);
    expect(sent.filter((name) => name === 'wallet_move')).toHaveLength(3);
  });

  it('a cached wallet state is validated: concurrent commits of another daemon count', async () => {
    const { here, there } = await createDaemons();
    meanwhile = () => there([withdraw(70n)]);
    const [answer] = await here([withdraw(70n)]);
    expect(answer).toMatchObject({ ok: false, rejection: { reason: 'INSUFFICIENT_FUNDS' } });
    expect(sent).toContain('wallet_lock');
    for (let i = 0; i < 5; i += 1) {
      for (const commit of [here, there]) {
        expect(await commit([command()])).toMatchObject([{ ok: true }]);
      }
    }
  });

  it('a cached wallet state is validated: a concurrent freeze counts', async () => {
    const { here } = await createDaemons();
    meanwhile = () => test.db.tx((tx) => updateStatus(tx, walletIdOf(userId, 'BRL'), 'frozen'));
    const [answer] = await here([command()]);
    expect(answer).toMatchObject({ ok: false, rejection: { reason: 'WALLET_FROZEN' } });
  });

  it('a cached wallet state is validated: no entry is dated before a concurrent read', async () => {
    const { here } = await createDaemons();
    let toldMs = 0;
    meanwhile = () =>
      test.db.tx(async (tx) => {
        const [wallet] = await readWallets(tx, [command().wallet], 'wait');
        // So that the millisecond in which the commit read its clock is over.
        await new Promise((resolve) => setTimeout(resolve, 20));
        toldMs = await readClock(tx);
        await raiseReadWatermark(tx, wallet?.id ?? '', toldMs);
      });
    const [answer] = await here([command()]);
    expect(toldMs).toBeGreaterThan(0);
    if (answer === undefined || typeof answer === 'string' || !answer.ok)
      throw new Error('not done');
    expect(answer.value.entry.occurredAtMs).toBeGreaterThanOrEqual(toldMs);
  });
});

describe('used idempotency keys', () => {
  it('an idempotency key that another daemon used meanwhile is a replay', async () => {
    const { here, there } = await createDaemons();
    const twin = command({}, 'one');
    meanwhile = () => there([twin]);
    expect(await here([twin])).toMatchObject([{ ok: true, value: { isReplayed: true } }]);
  });

  it('the key of a redelivered message is a replay, and its neighbours are done', async () => {
    const { here } = await createDaemons();
    const message = command({ callerClass: 'message' }, 'message 1');
    await here([message]);
    for (let i = 0; i < 20; i += 1) {
      expect(await here([message, command(), withdraw(1n)])).toMatchObject([
        { ok: true, value: { isReplayed: true } },
        { ok: true, value: { isReplayed: false } },
        { ok: true, value: { isReplayed: false } },
      ]);
    }
  });

  it('an idempotency key used long ago is a replay, even if funds no longer suffice', async () => {
    const { here } = await createDaemons();
    const old = withdraw(100n, {}, 'old');
    expect(await here([old])).toMatchObject([{ ok: true, value: { isReplayed: false } }]);
    expect(await here([old, withdraw(1n)])).toMatchObject([
      { ok: true, value: { isReplayed: true } },
      { ok: false, rejection: { reason: 'INSUFFICIENT_FUNDS' } },
    ]);
    const reused = withdraw(99n, {}, 'old');
    expect(await here([reused])).toMatchObject([
      { ok: false, rejection: { reason: 'IDEMPOTENCY_KEY_REUSED' } },
    ]);
  });
});

describe('refusals', () => {
  it('a withdrawal is not refused for a cached balance that has grown elsewhere', async () => {
    const { here, there } = await createDaemons();
    await there([command({ amountMinor: 1_000n })]);
    expect(await here([withdraw(900n)])).toMatchObject([{ ok: true }]);
  });

  it('a refusal on an unchanged state takes no lock, and other commands are accepted', async () => {
    const { here } = await createDaemons();
    expect(await here([withdraw(500n), command(), withdraw(150n)])).toMatchObject([
      { ok: false, rejection: { reason: 'INSUFFICIENT_FUNDS' } },
      { ok: true, value: { entry: { balanceAfterMinor: 200n } } },
      { ok: true, value: { entry: { balanceAfterMinor: 50n } } },
    ]);
    expect(sent).not.toContain('wallet_lock');
  });

  it('a commit that waits for a lock has not locked the wallet of a refusal', async () => {
    const { here } = await createDaemons();
    const owners = [userId, randomUUID()].toSorted((a, b) =>
      walletIdOf(a, 'BRL') < walletIdOf(b, 'BRL') ? -1 : 1,
    );
    const [first, second] = owners.map((owner) => buildCommand(owner).wallet);
    if (!first || !second) throw new Error('two wallets were made');
    await here(owners.map((owner) => buildCommand(owner)));
    await here(owners.map((owner) => buildCommand(owner)));
    const commands = [
      buildCommand(owners[1] ?? '', { operation: 'withdraw', amountMinor: 5_000n }),
      buildCommand(owners[0] ?? ''),
    ];
    let committed: ReturnType<typeof here> | undefined;
    const free = await test.db.tx(async (tx) => {
      await readWallets(tx, [first], 'wait');
      committed = here(commands);
      await waitForWaiting();
      return readWallets(tx, [second], 'skip');
    });
    expect(free.map(({ id }) => id)).toEqual([second.id]);
    expect(await committed).toMatchObject([
      { ok: false, rejection: { reason: 'INSUFFICIENT_FUNDS' } },
      { ok: true },
    ]);
  });

  it('a refusal stands beside what its own commit does on the same wallet', async () => {
    const { here } = await createDaemons();
    expect(await here([command(), withdraw(500n), command({}, 'twin')])).toMatchObject([
      { ok: true },
      { ok: false, rejection: { reason: 'INSUFFICIENT_FUNDS' } },
      { ok: true },
    ]);
    expect(sent).not.toContain('wallet_lock');
    const other = command({ amountMinor: 7n }, 'new twin');
    expect(await here([command({}, 'new twin'), other])).toMatchObject([
      { ok: true },
      { ok: false, rejection: { reason: 'IDEMPOTENCY_KEY_REUSED' } },
    ]);
    expect(sent).not.toContain('wallet_lock');
  });

  it('a refusal on a wallet that was never opened does not open it', async () => {
    const { here } = await createDaemons();
    userId = randomUUID();
    expect(await here([withdraw(1n)])).toMatchObject([{ ok: false }]);
    expect(await test.query('SELECT 1 FROM wallets WHERE user_id = $1', [userId])).toEqual([]);
  });

  it('a refusal of a message is final for any later delivery and balance', async () => {
    const { here, there } = await createDaemons();
    const message = withdraw(500n, { callerClass: 'message' }, 'message 1');
    const refused = { ok: false, rejection: { reason: 'INSUFFICIENT_FUNDS' } };
    expect(await there([message])).toMatchObject([refused]);
    await here([command({ amountMinor: 1_000n })]);
    expect(await here([message])).toMatchObject([refused]);
    expect(await test.query('SELECT 1 FROM inbox')).toHaveLength(1);
  });
});

describe('undos', () => {
  it('an undo is refused if another daemon has undone the same purchase meanwhile', async () => {
    const { here, there } = await createDaemons();
    const bought = command({ operation: 'purchase', amountMinor: 40n });
    await here([bought]);
    const undo = (): Command =>
      command({
        operation: 'cancellation',
        amountMinor: undefined,
        parentId: bought.transactionId,
      });
    meanwhile = () => there([undo()]);
    expect(await here([undo()])).toMatchObject([
      { ok: false, rejection: { reason: 'PARENT_ALREADY_UNDONE' } },
    ]);
  });
});
