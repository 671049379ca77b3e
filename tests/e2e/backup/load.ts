import { randomUUID } from 'node:crypto';

import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { signUp } from '../../support/broker/producer.ts';
import { connect, item } from '../../support/grpc/client.ts';

/** A deposit that was answered OK. */
export type Deposit = {
  readonly key: string;
  readonly id: string;
  readonly seq: bigint;
  readonly user: { readonly id: string; readonly token: string };
};

/** Clients that deposit 1.00 each, one after the other, until they are stopped. */
export type Load = {
  /** In the order of the answers. */
  readonly answered: readonly Deposit[];
  /** Answers other than OK. */
  readonly refused: readonly string[];
  stop(): Promise<void>;
};

/** Sends a deposit of 1.00; the answer, or the reason of the refusal. */
export async function deposit(
  address: string,
  { user, key }: Pick<Deposit, 'user' | 'key'>,
): Promise<{ readonly id: string; readonly seq: bigint; readonly replayed: boolean } | string> {
  const client = connect(address);
  const request = { item: depositItem(key), dryRun: false };
  const answer = await client.call(WalletServiceService.createTransaction, request, user.token);
  client.close();
  if (!answer.ok) return answer.reason;
  const { transaction, replayed } = answer.value;
  return { id: transaction?.id ?? '', seq: transaction?.seq ?? 0n, replayed };
}

const depositItem = (idempotencyKey: string) =>
  item({ currency: 'BRL', operation: Operation.DEPOSIT, amountMinor: 100n, idempotencyKey });

export async function startLoad(address: string, clients: number, name = 'load'): Promise<Load> {
  const answered: Deposit[] = [];
  const refused: string[] = [];
  let isStopped = false;
  const users = [];
  for (let n = 0; n < clients; n += 1) users.push(await signUp(address, `${name}${n}`));
  const run = async (user: Deposit['user']): Promise<void> => {
    const client = connect(address);
    while (!isStopped) {
      const key = randomUUID();
      const request = { item: depositItem(key), dryRun: false };
      const answer = await client.call(WalletServiceService.createTransaction, request, user.token);
      if (!answer.ok) refused.push(answer.reason);
      else {
        const { id = '', seq = 0n } = answer.value.transaction ?? {};
        answered.push({ key, id, seq, user });
      }
    }
    client.close();
  };
  const running = users.map(run);
  return {
    answered,
    refused,
    stop: async () => {
      isStopped = true;
      await Promise.all(running);
    },
  };
}
