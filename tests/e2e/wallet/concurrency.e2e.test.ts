import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  Operation,
  type CreateTransactionResponse,
  type TransactionItem,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { connect, item, type Answer, type Connection } from '../../support/grpc/client.ts';
import { createWorld, password, type World } from '../../support/processes/world.ts';

let world: World;
let clients: Connection[];

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  clients = [1, 2, 3].map(() => connect(world.daemon().address));
});

afterAll(async () => {
  clients.forEach((client) => client.close());
  await world.dispose();
});

async function signUp(name: string): Promise<string> {
  const email = `${name}@example.com`;
  await clients[0]!.call(AuthServiceService.signUp, { email, password });
  const signedIn = await clients[0]!.call(AuthServiceService.signIn, {
    email,
    password,
    client: 'test',
    deviceToken: '',
  });
  if (!signedIn.ok) throw new Error(signedIn.reason);
  return signedIn.value.tokens?.accessToken ?? '';
}

const create = (token: string, fields: Partial<TransactionItem>, client = 0) =>
  clients[client]!.call(
    WalletServiceService.createTransaction,
    { item: item(fields), dryRun: false },
    token,
  );

const reasons = (answers: readonly Answer<unknown>[]) =>
  answers.map((answer) => (answer.ok ? 'OK' : answer.reason)).sort();

async function balanceOf(token: string): Promise<bigint | undefined> {
  const request = { userId: '', currency: '', at: undefined };
  const answer = await clients[0]!.call(WalletServiceService.getBalance, request, token);
  return answer.ok ? answer.value.wallet?.balanceMinor : undefined;
}

const times = <T>(count: number, work: (i: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, i) => work(i)));

describe('concurrent callers', () => {
  it('of 200 withdrawals of 1.00 from 100.00 exactly 100 succeed', async () => {
    const token = await signUp('ana');
    await create(token, { operation: Operation.DEPOSIT, amountMinor: 10_000n });
    const answers = await times(200, (i) =>
      create(token, { operation: Operation.WITHDRAW, amountMinor: 100n }, i % 3),
    );
    expect(reasons(answers)).toEqual([
      ...Array<string>(100).fill('INSUFFICIENT_FUNDS'),
      ...Array<string>(100).fill('OK'),
    ]);
    expect(await balanceOf(token)).toBe(0n);
  });

  it('50 sends of one key have one effect, and answers differ in replayed only', async () => {
    const token = await signUp('bia');
    const send = (i: number, amountMinor = 700n) =>
      create(token, { operation: Operation.DEPOSIT, amountMinor, idempotencyKey: 'one' }, i % 3);
    const answers = await times(50, (i) => send(i));
    const values = answers.map((answer) => {
      if (!answer.ok) throw new Error(answer.reason);
      return answer.value;
    });
    expect(values.filter((value: CreateTransactionResponse) => !value.replayed)).toHaveLength(1);
    const [first] = values;
    for (const value of values) expect(value.transaction).toEqual(first?.transaction);
    expect(reasons([await send(0, 701n)])).toEqual(['IDEMPOTENCY_KEY_REUSED']);
    expect(await balanceOf(token)).toBe(700n);
  });

  it('of 50 concurrent undos of one purchase exactly one succeeds', async () => {
    const token = await signUp('caio');
    await create(token, { operation: Operation.DEPOSIT, amountMinor: 1_000n });
    const bought = await create(token, { operation: Operation.PURCHASE, amountMinor: 400n });
    const parentId = bought.ok ? bought.value.transaction?.id : undefined;
    const answers = await times(50, (i) =>
      create(
        token,
        { operation: i % 2 === 0 ? Operation.CANCELLATION : Operation.REVERSAL, parentId },
        i % 3,
      ),
    );
    expect(reasons(answers)).toEqual(['OK', ...Array<string>(49).fill('PARENT_ALREADY_UNDONE')]);
    expect(await balanceOf(token)).toBe(1_000n);
  });
});
