import { setTimeout as sleep } from 'node:timers/promises';

import {
  Operation,
  WalletServiceService,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { meaningOf } from '../faults/book.ts';
import type { Node, Person } from '../faults/site.ts';
import { createRandom, type Random } from '../fuzz/random.ts';
import { item } from '../support/grpc/client.ts';
import { sizeOf, uuidOf, type Request, type Wallet } from '../support/ledger/wallet-model.ts';

/** A call that was answered. `seq` is undefined where it was refused. */
export type Called = { readonly request: Request; readonly seq: bigint | undefined };

export type CallsOptions = {
  readonly seed: string;
  readonly nodes: readonly Node[];
  readonly people: readonly Person[];
  readonly wallets: readonly Wallet[];
  readonly isOver: () => boolean;
  readonly violate: (violation: string) => void;
};

const callers = 4;
const pauseMs = [100, 400] as const;
const hopelessMs = 120_000;

/** Customers who call while messages are handled; each asks under one key until it is answered. */
export async function runCalls(options: CallsOptions): Promise<readonly Called[]> {
  const called: Called[] = [];
  const runOne = async (caller: number): Promise<void> => {
    for (let step = 0; !options.isOver(); step += 1) {
      const random = createRandom(options.seed, `caller ${caller}`, step);
      const request = makeRequest(random, options, `${options.seed}-${caller}-${step}`);
      const answered = await complete(request, random, options);
      if (answered) called.push(answered);
      await sleep(pauseMs[0] + random.int(pauseMs[1] - pauseMs[0]));
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, caller) => runOne(caller)));
  return called;
}

function makeRequest(random: Random, { wallets }: CallsOptions, key: string): Request {
  const wallet = random.pick(wallets);
  return {
    ...{ key, id: uuidOf(wallet.id, `customer:${key}`), wallet },
    ...({ operation: random.chance(60) ? 'deposit' : 'withdraw', source: 'grpc' } as const),
    ...{ amountMinor: BigInt(1 + random.int(5_000)), parentId: undefined, merchant: undefined },
    ...{ description: undefined, actor: wallet.userId },
  };
}

async function complete(
  request: Request,
  random: Random,
  { nodes, people, violate }: CallsOptions,
): Promise<Called | undefined> {
  const { wallet, operation, key } = request;
  const amountMinor = request.amountMinor ?? 0n;
  const token = people.find(({ id }) => id === wallet.userId)?.token;
  const asked = {
    ...{ operation: operation === 'deposit' ? Operation.DEPOSIT : Operation.WITHDRAW, amountMinor },
    ...{ currency: wallet.currency, idempotencyKey: key },
  };
  const endsAtMs = performance.now() + hopelessMs;
  while (performance.now() < endsAtMs) {
    const method = WalletServiceService.createTransaction;
    const connection = random.pick(nodes).connection();
    const ask = { item: item(asked), dryRun: false };
    const answer = await connection.call(method, ask, token, 5_000);
    if (answer.ok) {
      const { transaction } = answer.value;
      const isIt =
        transaction?.id === request.id && sizeOf(transaction.amountMinor) === amountMinor;
      if (!isIt) violate(`call ${key}: another transaction was answered`);
      return { request, seq: transaction?.seq };
    }
    const meaning = meaningOf(answer.reason);
    if (meaning === 'final') return { request, seq: undefined };
    if (meaning !== 'passing') violate(`call ${key}: refused with ${answer.reason}`);
    await sleep(100 + random.int(200));
  }
  violate(`call ${key}: never answered`);
  return undefined;
}
