import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { brlWalletOf, buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { Db } from '../../platform/db/db.ts';
import { createLog } from '../../platform/log.ts';
import { walletsOf, type Command, type SpendingLimits } from '../domain.ts';
import type { AuditedCommand, AuditedDecision } from '../requests/audited-command.ts';
import type { DefaultLimits } from '../store/rare-states.ts';
import { readWallets } from '../store/store.ts';
import { updateTerms } from '../store/terms.ts';
import { createWalletCache } from '../store/wallet-cache.ts';
import { explainDefects } from './alarms.ts';
import { createGroupCommit } from './group-commit.ts';
import { createOptimisticCommit } from './optimistic-commit.ts';

const log = createLog('silent');
let test: TestDatabase;
let userId: string;

beforeEach(async () => {
  test = await createTestDatabase('wallet');
  userId = randomUUID();
});

afterEach(async () => {
  try {
    expect(await findLedgerFaults(test)).toEqual([]);
  } finally {
    await test.drop();
  }
});

/** A group commit of its own; several on one database are several daemons. */
function createDaemon(db: Db = test.db, defaultLimits?: DefaultLimits) {
  const group = createGroupCommit<AuditedCommand, AuditedDecision>({
    keysOf: (command) => walletsOf(command).map(({ id }) => id),
    maxCommits: 2,
    log,
    explain: explainDefects(log),
    commit: createOptimisticCommit(db, createWalletCache(), undefined, defaultLimits),
  });
  return async (command: AuditedCommand): Promise<string> => {
    const deadlineMs = performance.now() + 30_000;
    const done = await group.submit(command, { deadlineMs, isCancelled: () => false });
    return done.ok ? 'done' : done.rejection.reason;
  };
}

const deposit = (amountMinor: bigint): Command => buildCommand(userId, { amountMinor });
const purchase = (amountMinor: bigint, fields: Partial<Command> = {}): Command =>
  buildCommand(userId, { operation: 'purchase', amountMinor, ...fields });

/** Limits of a day that lasts for the whole test, wherever it runs. */
const quietZone = (): string => {
  const hour = new Date().getUTCHours();
  return hour >= 22 ? 'Etc/GMT+12' : 'UTC';
};
const dayLimit = (dayMinor: bigint): SpendingLimits => ({ dayMinor, timezone: quietZone() });

async function setTerms(limits: SpendingLimits | undefined, overdraftMinor = 0n): Promise<void> {
  const { id } = brlWalletOf(userId);
  await test.db.tx((tx) => updateTerms(tx, id, { overdraftMinor, limits }));
}

async function readWallet() {
  const [row] = await test.query<{ balance: string; debited: string; floor: string }>(
    'SELECT balance, debited, floor FROM wallets WHERE id = $1',
    [brlWalletOf(userId).id],
  );
  if (!row) throw new Error('there is no wallet');
  const { balance, debited, floor } = row;
  return { balance: Number(balance), debited: Number(debited), floor: Number(floor) };
}

describe('concurrency', () => {
  it('500 purchases of two daemons reach a daily limit to the last unit, and never pass it', async () => {
    const daemons = [createDaemon(), createDaemon()];
    await daemons[0]!(deposit(1_000_000n));
    await setTerms(dayLimit(10_000n));
    const amounts = Array.from({ length: 500 }, (_, i) => [97n, 31n, 7n, 2n][i % 4] ?? 1n);
    const outcomes = await Promise.all(
      amounts.map((amountMinor, i) => daemons[(i >> 2) % 2]!(purchase(amountMinor))),
    );
    expect(new Set(outcomes)).toEqual(new Set(['done', 'LIMIT_EXCEEDED']));
    const { debited } = await readWallet();
    const done = amounts.filter((_amount, i) => outcomes[i] === 'done');
    expect(debited).toBe(Number(done.reduce((sum, amount) => sum + amount, 0n)));
    const left = 10_000 - debited;
    expect(left).toBeGreaterThanOrEqual(0);
    // Nothing that was refused would have fitted.
    const refused = amounts.filter((_amount, i) => outcomes[i] !== 'done');
    expect(refused.filter((amount) => Number(amount) <= left)).toEqual([]);
    if (left > 0) expect(await daemons[1]!(purchase(BigInt(left)))).toBe('done');
    expect((await readWallet()).debited).toBe(10_000);
    expect(await daemons[0]!(purchase(1n))).toBe('LIMIT_EXCEEDED');
  });

  it('a limit that is set while two daemons commit holds from then on', async () => {
    const daemons = [createDaemon(), createDaemon()];
    await daemons[0]!(deposit(1_000_000n));
    let sentSince = 0;
    let limit = Infinity;
    const outcomes: string[] = [];
    const spend = async (submit: (command: Command) => Promise<string>): Promise<void> => {
      while (outcomes.filter((outcome) => outcome === 'LIMIT_EXCEEDED').length < 20) {
        sentSince += limit === Infinity ? 0 : 1;
        if (sentSince > 2_000) return;
        outcomes.push(await submit(purchase(10n)));
      }
    };
    const spending = [0, 1, 2, 3, 4, 5].map((i) => spend(daemons[i % 2]!));
    const { id } = brlWalletOf(userId);
    await test.db.tx(async (tx) => {
      const [wallet] = await readWallets(tx, [brlWalletOf(userId)], 'wait');
      limit = Number(wallet!.debitedMinor) + 50;
      await updateTerms(tx, id, { overdraftMinor: 0n, limits: dayLimit(BigInt(limit)) });
    });
    await Promise.all(spending);
    expect((await readWallet()).debited).toBe(limit);
    expect(new Set(outcomes)).toEqual(new Set(['done', 'LIMIT_EXCEEDED']));
  });

  it('a debt never passes an overdraft limit that two daemons draw on', async () => {
    const daemons = [createDaemon(), createDaemon()];
    await daemons[0]!(deposit(100n));
    await setTerms(undefined, 1_000n);
    const outcomes = await Promise.all(
      Array.from({ length: 200 }, (_, i) => daemons[i % 2]!(purchase(7n))),
    );
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(157);
    expect(await readWallet()).toMatchObject({ balance: 100 - 157 * 7, floor: -1_000 });
    // What is owed stays, and nothing more can be taken.
    await setTerms(undefined, 10n);
    expect(await daemons[0]!(purchase(1n))).toBe('INSUFFICIENT_FUNDS');
    expect(await daemons[1]!(deposit(1n))).toBe('done');
  });
});

describe('which limits apply', () => {
  it('those of the currency to a wallet without any, and its own to one that has some', async () => {
    const defaults = new Map([['BRL', dayLimit(50n)]]);
    const submit = createDaemon(test.db, defaults);
    await submit(deposit(1_000n));
    expect(await submit(purchase(51n))).toBe('LIMIT_EXCEEDED');
    expect(await submit(purchase(50n))).toBe('done');
    expect(await submit(purchase(1n))).toBe('LIMIT_EXCEEDED');
    await setTerms(dayLimit(60n));
    expect(await submit(purchase(11n))).toBe('LIMIT_EXCEEDED');
    expect(await submit(purchase(10n))).toBe('done');
    await setTerms(undefined);
    expect(await submit(purchase(1n))).toBe('LIMIT_EXCEEDED');
  });

  it('what a hold reserves counts until it is released', async () => {
    const submit = createDaemon();
    await submit(deposit(1_000n));
    await setTerms(dayLimit(100n));
    const placed = buildCommand(userId, {
      ...{ operation: 'hold', amountMinor: 80n, merchant: 'shop', callerClass: 'staff' },
      more: { expiresInMs: 3_600_000 },
    });
    expect(await submit(placed)).toBe('done');
    expect(await submit(purchase(21n))).toBe('LIMIT_EXCEEDED');
    const release = buildCommand(userId, {
      ...{ operation: 'release', amountMinor: undefined, callerClass: 'staff' },
      parentId: placed.transactionId,
    });
    expect(await submit(release)).toBe('done');
    expect(await submit(purchase(21n))).toBe('done');
  });
});

describe('statements', () => {
  /** Names of statements about the past of a wallet, as they are sent. */
  function watch(): { readonly db: Db; readonly sent: string[] } {
    const sent: string[] = [];
    const db: Db = {
      ...test.db,
      tx: (work) =>
        test.db.tx((tx, sendCommit) => {
          const query: typeof tx.query = (statement, values) => {
            sent.push(statement.name);
            return tx.query(statement, values);
          };
          return work({ ...tx, query }, sendCommit);
        }),
    };
    return { db, sent };
  }

  it('what was debited before a calendar window is looked up once, and rolling ones each time', async () => {
    const { db, sent } = watch();
    const submit = createDaemon(db);
    const readPast = (): number => sent.filter((name) => name === 'entry_anchors').length;
    await submit(deposit(1_000n));
    const buy = async (count: number): Promise<void> => {
      sent.length = 0;
      for (let i = 0; i < count; i += 1) expect(await submit(purchase(1n))).toBe('done');
    };
    await setTerms(dayLimit(500n));
    await buy(5);
    expect(readPast()).toBeGreaterThan(0);
    await buy(3);
    expect(readPast()).toBe(0);
    await setTerms({ rolling: [{ hours: 1, amountMinor: 20n }], timezone: 'UTC' });
    await buy(5);
    await buy(3);
    expect(readPast()).toBe(3);
  });

  it('a commit of wallets without limits asks for none', async () => {
    const { db, sent } = watch();
    const submit = createDaemon(db);
    await submit(deposit(1_000n));
    await submit(purchase(1n));
    expect(sent).not.toContain('entry_anchors');
  });
});
