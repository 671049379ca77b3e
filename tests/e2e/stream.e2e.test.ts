import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { transactionIdOf, walletIdOf } from '../../core/ids.ts';
import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Operation,
  type TransactionItem,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connect, item } from '../support/grpc.ts';
import { findFaults, queryService, waitUntil } from '../support/ledger.ts';
import { signUp } from '../support/producer.ts';
import { openMuteStream, openStream, outcomeOf, sendAll } from '../support/stream.ts';
import { createWorld, expectCode, password, type World } from '../support/world.ts';

type User = { readonly id: string; readonly token: string };

let world: World;
let users: User[];
let staff: string;

const address = () => world.daemon().address;
const deposit = (user: User, fields: Partial<TransactionItem> = {}) =>
  item({ userId: user.id, operation: Operation.DEPOSIT, amountMinor: 100n, ...fields });
const withdraw = (user: User, fields: Partial<TransactionItem> = {}) =>
  deposit(user, { operation: Operation.WITHDRAW, ...fields });
const times = <T>(count: number, make: (i: number) => T): T[] =>
  Array.from({ length: count }, (_, i) => make(i));

async function signIn(email: string): Promise<string> {
  const client = connect(address());
  const answer = await client.call(AuthServiceService.signIn, {
    email,
    password,
    client: 'test',
    deviceToken: '',
  });
  client.close();
  if (!answer.ok) throw new Error(answer.reason);
  return answer.value.tokens?.accessToken ?? '';
}

const countEntries = async (where = 'true', values: unknown[] = []): Promise<number> => {
  const text = `SELECT count(*)::int AS n FROM transactions WHERE ${where}`;
  const [row] = await queryService<{ n: number }>(world.dataDir, 'wallet', text, values);
  return row?.n ?? 0;
};

const expectSoundLedger = async (): Promise<void> => {
  let faults: string[] = [];
  await waitUntil('the ledger and its projection agree', async () => {
    faults = await findFaults(world.dataDir);
    return faults.length === 0;
  }).catch(() => undefined);
  expect(faults).toEqual([]);
};

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  users = [];
  for (const name of ['ana', 'bia', 'caio', 'davi', 'eva']) {
    users.push(await signUp(address(), name));
  }
  const args = ['users', 'create', '--email', 'olga@example.com', '--role', 'operator'];
  expectCode(await world.walletd(args, password), 0);
  staff = await signIn('olga@example.com');
});

afterAll(() => world.dispose());

describe('one stream', () => {
  it('answers each item in order, and applies each wallet’s in order, however much is under way', async () => {
    const messages = times(60, (m) =>
      times(100, (i) => deposit(users[(m + i) % 5]!, { description: `${m}.${i}` })),
    );
    const { results, end } = await sendAll(address(), staff, messages);
    expect(end).toBe('OK');
    const texts = results.map(({ outcome }) =>
      outcome?.$case === 'created' ? outcome.value.transaction?.description : outcome?.value.reason,
    );
    expect(texts).toEqual(messages.flat().map(({ description }) => description));
    const seqs = new Map<string, bigint>();
    for (const { outcome } of results) {
      if (outcome?.$case !== 'created') continue;
      const { walletId = '', seq = 0n } = outcome.value.transaction ?? {};
      expect(seq).toBeGreaterThan(seqs.get(walletId) ?? 0n);
      seqs.set(walletId, seq);
    }
  });

  it('is answered while it is still open, and the rest before it ends', async () => {
    const stream = openStream(address(), users[0]!.token);
    stream.send([deposit(users[0]!)]);
    await stream.waitFor(1);
    stream.send(times(1_024, () => deposit(users[0]!)));
    stream.send(times(1_024, () => withdraw(users[0]!)));
    stream.halfClose();
    expect(await stream.ended).toBe('OK');
    expect(new Set(stream.results.map(outcomeOf))).toEqual(new Set(['done']));
    expect(stream.results).toHaveLength(2_049);
    stream.close();
  });

  it('refuses an item in its place, and its neighbours go on', async () => {
    const [ana, bia] = users as [User, User];
    const ghost = { id: 'c0ffee00-0000-4000-8000-000000000000', token: '' };
    const key = crypto.randomUUID();
    const messages = [
      [
        deposit(ana, { idempotencyKey: key }),
        deposit(ana, { idempotencyKey: key }),
        deposit(ana, { idempotencyKey: key, amountMinor: 5n }),
        deposit(ana, { userId: '' }),
        deposit(ghost),
        withdraw(bia, { amountMinor: 10n ** 15n }),
        deposit(bia),
      ],
      [
        deposit(bia, { currency: 'XXX' }),
        deposit(bia, { amountMinor: 0n }),
        deposit(bia, { operation: 9 as Operation }),
        deposit(bia, { description: 'nul \0' }),
        deposit(bia, { idempotencyKey: '' }),
        withdraw(bia),
      ],
    ];
    const { results, end } = await sendAll(address(), staff, messages);
    expect(end).toBe('OK');
    expect(results.map(outcomeOf)).toEqual([
      'done',
      'replayed',
      'IDEMPOTENCY_KEY_REUSED',
      'USER_REQUIRED',
      'USER_NOT_FOUND',
      'INSUFFICIENT_FUNDS',
      'done',
      'CURRENCY_UNKNOWN',
      'AMOUNT_INVALID',
      'INVALID_ARGUMENT',
      'INVALID_ARGUMENT',
      'INVALID_ARGUMENT',
      'done',
    ]);
    const foreign = await sendAll(address(), ana.token, [[deposit(bia), deposit(ana)]]);
    expect(foreign.results.map(outcomeOf)).toEqual(['USER_NOT_FOUND', 'done']);
  });

  it('takes a parent and its undo, in one message or the next, in the parent’s currency', async () => {
    const [ana] = users as [User];
    const parent = (key: string) => ({
      key,
      id: transactionIdOf(walletIdOf(ana.id, 'JPY'), 'staff', key),
    });
    const [first, second] = [parent(crypto.randomUUID()), parent(crypto.randomUUID())];
    const undo = (parentId: string) =>
      item({ userId: ana.id, operation: Operation.REVERSAL, parentId });
    const { results } = await sendAll(address(), staff, [
      [
        deposit(ana, { currency: 'JPY', idempotencyKey: first.key }),
        undo(first.id),
        deposit(ana, { currency: 'JPY', idempotencyKey: second.key }),
      ],
      [undo(second.id), undo(first.id)],
    ]);
    expect(results.map(outcomeOf)).toEqual([
      'done',
      'done',
      'done',
      'done',
      'PARENT_ALREADY_UNDONE',
    ]);
    // And once more when the parents have long been committed.
    const later = await sendAll(address(), staff, [[undo(second.id)]]);
    expect(later.results.map(outcomeOf)).toEqual(['PARENT_ALREADY_UNDONE']);
  });

  it('ends at a message that is too large, after the results of those before it', async () => {
    const [ana] = users as [User];
    const messages = [[deposit(ana)], times(1_025, () => deposit(ana)), [deposit(ana)]];
    const { results, end } = await sendAll(address(), ana.token, messages);
    expect(end).toBe('INVALID_ARGUMENT');
    expect(results.map(outcomeOf)).toEqual(['done']);
  });

  it('ends when its sign-in has ended, after the results of what was sent before', async () => {
    const eva = users[4]!;
    const token = await signIn('eva@example.com');
    const stream = openStream(address(), token);
    stream.send([deposit(eva)]);
    await stream.waitFor(1);
    const client = connect(address());
    expect(await client.call(AuthServiceService.signOut, {}, token)).toMatchObject({ ok: true });
    client.close();
    stream.send([deposit(eva)]);
    expect(await stream.ended).toBe('TOKEN_REVOKED');
    expect(stream.results.map(outcomeOf)).toEqual(['done']);
    stream.close();
  });

  it('of the staff’s leaves a line in the audit log, with counts', async () => {
    const [ana] = users as [User];
    const key = crypto.randomUUID();
    const same = deposit(ana, { idempotencyKey: key });
    await sendAll(address(), staff, [[same, same], [withdraw(ana, { amountMinor: 10n ** 15n })]]);
    const rows = await queryService<{ actor_role: string; result: string; details: object }>(
      world.dataDir,
      'wallet',
      `SELECT actor_role, result, details FROM audit_log WHERE action = 'transaction.stream'
       ORDER BY occurred_at DESC LIMIT 1`,
    );
    expect(rows).toEqual([
      {
        actor_role: 'operator',
        result: 'ok',
        details: { items: '3', done: '1', replayed: '1', refused: '1', dryRun: 'false' },
      },
    ]);
  });
});

describe('a dry run', () => {
  it('gives the results that the real run then gives, and changes nothing', async () => {
    const [, bia] = users as [User, User];
    const key = crypto.randomUUID();
    const wallet = walletIdOf(bia.id, 'KWD');
    const keyed = (idempotencyKey: string, fields: Partial<TransactionItem>) =>
      item({ userId: bia.id, currency: 'KWD', idempotencyKey, ...fields });
    const bought = transactionIdOf(wallet, 'staff', `${key} buy`);
    const messages = [
      [
        keyed(`${key} first`, { operation: Operation.WITHDRAW, amountMinor: 1n }),
        keyed(`${key} in`, { operation: Operation.DEPOSIT, amountMinor: 500n }),
      ],
      [
        keyed(`${key} buy`, { operation: Operation.PURCHASE, amountMinor: 200n, merchant: 'Shop' }),
        keyed(`${key} too much`, { operation: Operation.WITHDRAW, amountMinor: 301n }),
        keyed(`${key} rest`, { operation: Operation.WITHDRAW, amountMinor: 300n }),
      ],
      [
        keyed(`${key} undo`, {
          operation: Operation.CANCELLATION,
          parentId: bought,
          currency: '',
        }),
        keyed(`${key} undo again`, { operation: Operation.REVERSAL, parentId: bought }),
        keyed(`${key} in`, { operation: Operation.DEPOSIT, amountMinor: 500n }),
      ],
    ];
    const counted = await countEntries();
    const dry = await sendAll(address(), staff, messages, true);
    expect(await countEntries()).toBe(counted);
    expect(await countEntries('wallet_id = $1', [wallet])).toBe(0);
    const real = await sendAll(address(), staff, messages);
    const withoutTime = (run: typeof dry) =>
      run.results.map(({ outcome }) => {
        if (outcome?.$case !== 'created') return outcome?.value;
        const { transaction, replayed } = outcome.value;
        return { ...transaction, occurredAt: undefined, hash: undefined, replayed };
      });
    expect(withoutTime(dry)).toEqual(withoutTime(real));
    expect(real.results.map(outcomeOf)).toEqual([
      'INSUFFICIENT_FUNDS',
      'done',
      'done',
      'INSUFFICIENT_FUNDS',
      'done',
      'done',
      'PARENT_ALREADY_UNDONE',
      'replayed',
    ]);
  });

  it('cannot be asked for in the middle of a real one', async () => {
    const [ana] = users as [User];
    const stream = openStream(address(), ana.token);
    stream.send([deposit(ana)]);
    stream.send([deposit(ana)], true);
    expect(await stream.ended).toBe('INVALID_ARGUMENT');
    expect(stream.results.map(outcomeOf)).toEqual(['done']);
    stream.close();
  });
});

describe('many streams', () => {
  it('100 at once are all answered whole', async () => {
    const counted = await countEntries();
    const runs = await Promise.all(
      times(100, (s) => {
        const user = users[s % 4]!;
        const messages = times(3, () => times(50, () => deposit(user)));
        return sendAll(address(), user.token, messages);
      }),
    );
    expect(new Set(runs.map(({ end }) => end))).toEqual(new Set(['OK']));
    expect(new Set(runs.flatMap(({ results }) => results.map(outcomeOf)))).toEqual(
      new Set(['done']),
    );
    expect(await countEntries()).toBe(counted + 100 * 150);
    await expectSoundLedger();
  });

  it('one user cannot take all that there may be', async () => {
    const [ana, bia] = users as [User, User];
    const open = times(40, () => openStream(address(), ana.token));
    for (const stream of open) stream.send([deposit(ana)]);
    const refused = await Promise.race(open.map((stream) => stream.ended));
    expect(refused).toBe('OVERLOADED');
    const other = await sendAll(address(), bia.token, [[deposit(bia)]]);
    expect(other.results.map(outcomeOf)).toEqual(['done']);
    for (const stream of open) {
      stream.cancel();
      stream.close();
    }
    await waitUntil('the streams are given back', async () => {
      const { end } = await sendAll(address(), ana.token, [[deposit(ana)]]);
      return end === 'OK';
    });
  });

  it('a client that never reads is served a few messages only, and nobody else waits', async () => {
    const [ana, bia] = users as [User, User];
    const merchant = 'never read';
    const bought = { operation: Operation.PURCHASE, amountMinor: 1n, merchant };
    // Far more than the windows of HTTP/2 and the buffers on the way hold.
    const messages = times(100, () => times(200, () => deposit(ana, bought)));
    const mute = openMuteStream(address(), ana.token, messages);
    for (let i = 0; i < 20; i += 1) {
      const { results } = await sendAll(address(), bia.token, [[deposit(bia)]]);
      expect(results.map(outcomeOf)).toEqual(['done']);
    }
    const where = `contra_account = 'merchant:${merchant}'`;
    let seen = -1;
    await waitUntil('no more of it is begun', async () => {
      const now = await countEntries(where);
      const isSteady = now === seen && now > 0;
      seen = now;
      if (!isSteady) await new Promise((resolve) => setTimeout(resolve, 900));
      return isSteady;
    });
    expect(seen).toBeLessThan(10_000);
    mute.close();
  });

  it('what is cancelled is done or not done, message by message, and the ledger stays sound', async () => {
    for (let round = 0; round < 10; round += 1) {
      const stream = openStream(address(), staff);
      for (let m = 0; m < 8; m += 1) stream.send(times(300, (i) => deposit(users[i % 5]!)));
      await stream.waitFor(1 + round * 200);
      stream.cancel();
      await stream.ended;
      stream.close();
    }
    await expectSoundLedger();
    expect(world.daemon().log()).not.toContain('unexpected error');
  });
});

describe('a daemon killed with -9 in the middle of streams', () => {
  it('has everything exactly once after the same was sent again', async () => {
    const runs = times(4, (s) =>
      times(20, (m) =>
        times(200, (i) =>
          deposit(users[s]!, { idempotencyKey: `kill ${s} ${m} ${i}`, description: 'kill' }),
        ),
      ),
    );
    const streams = runs.map((messages, s) => {
      const stream = openStream(address(), users[s]!.token);
      for (const items of messages) stream.send(items);
      stream.halfClose();
      return stream;
    });
    await Promise.all(streams.map((stream) => stream.waitFor(600)));
    await world.kill();
    await Promise.all(streams.map((stream) => stream.ended));
    const answered = streams.map(({ results }) => results.map((r) => outcomeOf(r)));
    streams.forEach((stream) => stream.close());
    expect(answered.flat().length).toBeLessThan(16_000);
    await world.start();
    const again = await Promise.all(
      runs.map((messages, s) => sendAll(address(), users[s]!.token, messages)),
    );
    again.forEach(({ results, end }, s) => {
      expect(end).toBe('OK');
      const outcomes = results.map(outcomeOf);
      expect(new Set(outcomes.slice(0, answered[s]?.length))).toEqual(new Set(['replayed']));
      expect(outcomes.filter((o) => o !== 'replayed' && o !== 'done')).toEqual([]);
    });
    expect(await countEntries("description = 'kill'")).toBe(16_000);
    await expectSoundLedger();
  });
});

describe('a policy', () => {
  it('lets nobody in without a credential', async () => {
    const { end } = await sendAll(address(), 'not one', [[deposit(users[0]!)]]);
    expect(end).toBe('TOKEN_INVALID');
  });
});
