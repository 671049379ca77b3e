import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { WalletStatus } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { callAs } from '../../../tests/support/grpc/calls.ts';
import { buildCommand, walletRefOf } from '../../../tests/support/ledger/build-command.ts';
import { findLedgerFaults } from '../../../tests/support/ledger/faults.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { shiftClock } from '../../../tests/support/postgres/shifted-clock.ts';
import type { Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { createInDoubtCommits } from '../commit/in-doubt-commits.ts';
import { noDefaultLimits } from '../store/rare-states.ts';
import { commitLocked, commitUnlocked } from '../commit/locked-commit.ts';
import { createWalletOpenings } from '../commit/wallet-openings.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import type { AuditedCommand } from '../requests/audited-command.ts';
import { acceptClockAheadOnHost } from '../host.ts';
import { createKnownUsers } from '../requests/users.ts';
import { getBalance, listWallets } from './reads.ts';

const dayMs = 86_400_000;
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

const deposit = (fields: Partial<AuditedCommand> = {}) => buildCommand(userId, fields);

const service = (): CallContext => ({
  ...callAs(userId, 'customer'),
  principal: { kind: 'service' },
});

/** A balance as it is answered, and the time that it is for. */
async function report(db: Db, at: Date | undefined, caller = callAs(userId, 'customer')) {
  const users = createKnownUsers((ids) => Promise.resolve(new Set(ids)));
  const request = { userId, currency: 'BRL', at };
  const answer = await getBalance({ db, users, defaultCurrency: 'BRL' }, request, caller);
  if (!answer.ok) throw new Error(answer.rejection.reason);
  const { wallet, asOf } = answer.value;
  return { balanceMinor: wallet?.balanceMinor, seq: wallet?.seq, asOf: asOf ?? new Date(NaN) };
}

const soon = (): Date => new Date(Date.now() + 3_600_000);
const unchanged = (asOf: Date) => ({ balanceMinor: 0n, seq: 0n, asOf });

const contextOf = (db: Db) => ({
  ...{
    db,
    openings: createWalletOpenings(),
    inDoubt: createInDoubtCommits(),
    defaultLimits: noDefaultLimits,
  },
});

type Answer = 'busy' | 'behind' | { readonly ok: boolean };
type Commit = (db: Db, command: AuditedCommand) => Promise<readonly Answer[]>;
/** Every way in which a wallet is opened. */
const ways: Readonly<Record<string, Commit>> = {
  optimistic: (db, command) => createOptimisticCommit(db)([command]),
  locked: async (db, command) => (await commitLocked(contextOf(db), [command])).answers,
  'locked, without waiting': async (db, command) =>
    (await commitUnlocked(contextOf(db), [command])).answers,
  'as a message': (db, command) =>
    createOptimisticCommit(db)([{ ...command, callerClass: 'message' }]),
};

describe('a wallet that was never opened', () => {
  it.each(Object.keys(ways).flatMap((way) => [2_000, 120_000].map((ms) => [way, ms] as const)))(
    'a balance of 0 stays true when the clock steps back before its first deposit: %s, %d ms',
    async (way, ms) => {
      const { asOf } = await report(test.db, soon());
      const behind = shiftClock(test.db, -ms);
      expect(await ways[way]!(behind, deposit())).toMatchObject([{ ok: true }]);
      for (const db of [test.db, behind]) expect(await report(db, asOf)).toEqual(unchanged(asOf));
      const later = await report(test.db, soon());
      expect(later).toMatchObject({ balanceMinor: 100n, seq: 1n });
    },
  );

  it.each(Object.keys(ways))(
    'no first entry is before the head of a statement: %s',
    async (way) => {
      const { asOf, seq } = await report(test.db, undefined, service());
      expect(seq).toBe(0n);
      await ways[way]!(shiftClock(test.db, -2_000), deposit());
      const [row] = await test.query<{ at_ms: string }>(
        'SELECT (extract(epoch FROM occurred_at) * 1000)::bigint AS at_ms FROM transactions',
      );
      expect(Number(row!.at_ms)).toBeGreaterThanOrEqual(asOf.getTime());
    },
  );

  it.each(Object.keys(ways))(
    'one that was read a day ahead refuses deposits until that is accepted: %s',
    async (way) => {
      const { asOf } = await report(shiftClock(test.db, dayMs), new Date(Date.now() + 2 * dayMs));
      const rows = () => test.query<object>('SELECT * FROM wallets');
      const before = await rows();
      const refused = { ok: false, rejection: { reason: 'WALLET_CLOCK_AHEAD' } };
      expect(await ways[way]!(test.db, deposit())).toMatchObject([refused]);
      expect(await rows()).toEqual(before);
      const request = { wallet: 'all', note: 'the clock was wrong', isDryRun: false } as const;
      const accepted = [];
      for await (const one of acceptClockAheadOnHost(test.db, request)) accepted.push(one);
      expect(accepted).toMatchObject([{ ok: true, value: { userId, isNew: true } }]);
      expect(await ways[way]!(test.db, deposit())).toMatchObject([{ ok: true }]);
      expect(await report(test.db, asOf)).toMatchObject({ balanceMinor: 0n, seq: 0n });
      expect(await report(shiftClock(test.db, dayMs), asOf)).toEqual(unchanged(asOf));
    },
  );

  it('reading it many times keeps one row, and lists no wallet', async () => {
    const readers = Array.from({ length: 8 }, () => report(test.db, soon()));
    for (const { balanceMinor } of await Promise.all(readers)) expect(balanceMinor).toBe(0n);
    const { asOf } = await report(shiftClock(test.db, -dayMs), soon());
    // It never falls: what was reported before is still the earliest that a deposit may be.
    expect(asOf.getTime()).toBeGreaterThan(Date.now() - 60_000);
    expect(await test.query('SELECT FROM wallets')).toHaveLength(1);
    const users = createKnownUsers((ids) => Promise.resolve(new Set(ids)));
    const options = { db: test.db, users, defaultCurrency: 'BRL' };
    const list = async (caller: CallContext) => {
      const asked = { userId: '', pageSize: 1, pageToken: '' };
      const answer = await listWallets(options, asked, caller);
      return answer.ok && answer.value.wallets;
    };
    const callers = [callAs(userId, 'customer'), callAs(randomUUID(), 'operator')] as const;
    for (const caller of callers) expect(await list(caller)).toEqual([]);
    await createOptimisticCommit(test.db)([deposit()]);
    for (const caller of callers) expect(await list(caller)).toHaveLength(1);
    // One that says so, while its entries are there, is corrupt, and not hidden.
    await test.query('UPDATE wallets SET seq = 0, balance = 0');
    for (const caller of callers) {
      expect(await list(caller)).toMatchObject([{ status: WalletStatus.CORRUPT }]);
    }
    await test.query('UPDATE wallets SET seq = 1, balance = 100');
  });

  it('a withdrawn currency stays without wallets after its balance was read', async () => {
    const wallet = walletRefOf(userId, 'HRK');
    const users = createKnownUsers((ids) => Promise.resolve(new Set(ids)));
    const request = { userId, currency: 'HRK', at: soon() };
    const options = { db: test.db, users, defaultCurrency: 'BRL' };
    expect(await getBalance(options, request, callAs(userId, 'customer'))).toMatchObject({
      ok: true,
    });
    const refused = { ok: false, rejection: { reason: 'CURRENCY_UNKNOWN' } };
    for (const commit of Object.values(ways)) {
      expect(await commit(test.db, deposit({ wallet }))).toMatchObject([refused]);
    }
  });
});

/** `opened` resolves once `open` is called. */
function createBarrier() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { open, opened };
}

/** A database where a transaction waits at its end, before COMMIT. */
function holdBeforeCommit(db: Db) {
  const [reached, released] = [createBarrier(), createBarrier()];
  const held: Db = {
    ...db,
    tx: (work) =>
      db.tx(async (tx) => {
        const done = await work(tx, () => undefined);
        reached.open();
        await released.opened;
        return done;
      }),
  };
  return { db: held, reached: reached.opened, release: released.open };
}

describe('a read and the opening at the same time', () => {
  it.each(Object.keys(ways))('a deposit waits for a read in progress: %s', async (way) => {
    const hold = holdBeforeCommit(test.db);
    const reading = report(hold.db, soon());
    await hold.reached;
    const behind = shiftClock(test.db, -2_000);
    const opening = (async () => {
      // Where nothing is waited for, it is tried again.
      for (;;) {
        const answers = await ways[way]!(behind, deposit());
        if (typeof answers[0] !== 'string') return answers;
      }
    })();
    const deposited = { isDone: false };
    void opening.finally(() => (deposited.isDone = true));
    const waits = `SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND wait_event_type = 'Lock'`;
    while (!deposited.isDone && (await test.query(waits)).length === 0) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    const early = await test.query('SELECT FROM transactions');
    hold.release();
    expect(early).toEqual([]);
    expect(await opening).toMatchObject([{ ok: true }]);
    const { asOf, ...reported } = await reading;
    expect(reported).toEqual({ balanceMinor: 0n, seq: 0n });
    expect(await report(test.db, asOf)).toEqual(unchanged(asOf));
  });

  it.each(Object.keys(ways))('a read waits for a deposit in progress: %s', async (way) => {
    // Its clock is behind: were it not waited for, it would be put before what was reported.
    const hold = holdBeforeCommit(shiftClock(test.db, -2_000));
    const opening = ways[way]!(hold.db, deposit());
    await hold.reached;
    const reading = report(test.db, soon());
    const early = await Promise.race([
      reading,
      new Promise((resolve) => setTimeout(resolve, 100, 'waits')),
    ]);
    hold.release();
    expect(early).toBe('waits');
    await opening;
    expect(await reading).toMatchObject({ balanceMinor: 100n, seq: 1n });
  });

  it('what is reported of 40 wallets while two daemons open them stays true', async () => {
    const daemons = [0, -2_000].map((ms) => shiftClock(test.db, ms));
    const users = Array.from({ length: 40 }, () => randomUUID());
    const commits = daemons.map((db) => createOptimisticCommit(db));
    const reports = await Promise.all(
      users.map(async (id, i) => {
        const asCustomer = callAs(id, 'customer');
        const known = createKnownUsers((ids) => Promise.resolve(new Set(ids)));
        const ask = async (at: Date, db = test.db) => {
          const request = { userId: '', currency: 'BRL', at };
          const options = { db, users: known, defaultCurrency: 'BRL' };
          const answer = await getBalance(options, request, asCustomer);
          if (!answer.ok) throw new Error(answer.rejection.reason);
          const { wallet, asOf } = answer.value;
          return { text: `${wallet!.balanceMinor} at ${wallet!.seq}`, asOf: asOf! };
        };
        // Half of them are read before, and all of them meanwhile.
        const before = i % 4 < 2 ? [await ask(soon())] : [];
        const reads = [ask(soon()), ask(soon(), daemons[1])];
        const opening = commits[i % 2]!([buildCommand(id)], i % 3 === 0 ? 'skip' : 'wait');
        const found = [...before, ...(await Promise.all([...reads, ask(soon())]))];
        await opening;
        return found.map((each) => ({ ...each, again: () => ask(each.asOf) }));
      }),
    );
    for (const { text, again } of reports.flat()) expect((await again()).text).toBe(text);
  });
});
