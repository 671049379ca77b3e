import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { transactionIdOf, walletIdOf } from '../../../core/ids.ts';
import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Operation,
  type TransactionItem,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connect, item } from '../../support/grpc/client.ts';
import { queryService } from '../../support/ledger/ledger.ts';
import { openStream, outcomeOf, sendAll } from '../../support/grpc/stream.ts';
import {
  createStreamWorld,
  deposit,
  times,
  withdraw,
  type StreamWorld,
  type User,
} from '../../support/grpc/stream-world.ts';

let at: StreamWorld;
let users: readonly User[];
let staff: string;
const address = () => at.address();

beforeAll(async () => {
  at = await createStreamWorld();
  ({ users, staff } = at);
});

afterAll(() => at.world.dispose());

describe('one stream', () => {
  it('a stream answers items in order, and applies those of each wallet in order', async () => {
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

  it('a stream is answered while it is open, and completely before it ends', async () => {
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

  it('a stream refuses an invalid item in its place, and does the others', async () => {
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

  it('a stream takes a parent and its undo in one message or the next', async () => {
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

  it('a stream ends at a message that is too large, after earlier results', async () => {
    const [ana] = users as [User];
    const messages = [[deposit(ana)], times(1_025, () => deposit(ana)), [deposit(ana)]];
    const { results, end } = await sendAll(address(), ana.token, messages);
    expect(end).toBe('INVALID_ARGUMENT');
    expect(results.map(outcomeOf)).toEqual(['done']);
  });

  it('a stream ends with TOKEN_REVOKED after a sign-out, and keeps earlier results', async () => {
    const eva = users[4]!;
    const token = await at.signIn('eva@example.com');
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

  it('a stream of staff is audited with role, user and counts of its items', async () => {
    const [ana] = users as [User];
    const key = crypto.randomUUID();
    const same = deposit(ana, { idempotencyKey: key });
    await sendAll(address(), staff, [[same, same], [withdraw(ana, { amountMinor: 10n ** 15n })]]);
    const rows = await queryService<Record<string, string>>(
      at.world.dataDir,
      'wallet',
      `SELECT actor_role, target, sum((details->>'created')::int)::text AS created,
         sum((details->>'replayed')::int)::text AS replayed,
         sum((details->>'rejected')::int)::text AS rejected
       FROM audit_log
       WHERE action = 'transaction.stream' AND details->>'stream' =
         (SELECT details->>'stream' FROM audit_log WHERE action = 'transaction.stream'
          ORDER BY occurred_at DESC LIMIT 1)
       GROUP BY 1, 2`,
    );
    expect(rows).toEqual([
      { actor_role: 'operator', target: ana.id, created: '1', replayed: '1', rejected: '1' },
    ]);
  });
});

describe('dry runs', () => {
  it('a dry run of a stream has the results of the real run, and changes nothing', async () => {
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
    const counted = await at.countEntries();
    const dry = await sendAll(address(), staff, messages, true);
    expect(await at.countEntries()).toBe(counted);
    expect(await at.countEntries('wallet_id = $1', [wallet])).toBe(0);
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

  it('a stream cannot switch to a dry run', async () => {
    const [ana] = users as [User];
    const stream = openStream(address(), ana.token);
    stream.send([deposit(ana)]);
    stream.send([deposit(ana)], true);
    expect(await stream.ended).toBe('INVALID_ARGUMENT');
    expect(stream.results.map(outcomeOf)).toEqual(['done']);
    stream.close();
  });
});

describe('credentials', () => {
  it('a stream with an invalid token is refused with TOKEN_INVALID', async () => {
    const { end } = await sendAll(address(), 'not one', [[deposit(users[0]!)]]);
    expect(end).toBe('TOKEN_INVALID');
  });
});
