import { setTimeout as sleep } from 'node:timers/promises';

import { walletIdOf } from '../../../core/ids.ts';
import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connect, item } from '../../../tests/support/grpc/client.ts';
import { userIdOf, type Product } from '../product.ts';
import type { Bench } from '../row.ts';

const sendEveryMs = 50;
/** How exact a lag is; to look costs the database a little, which counts as the product's. */
const lookEveryMs = 10;

export type Probe = {
  start(): void;
  /** Ends it; gives the milliseconds from each answer until its line could be read. */
  end(): Promise<number[]>;
};

/**
 * Deposits of a user of its own, at a fixed rate whatever becomes of those before, and how long
 * after its answer each has its statement line.
 */
export async function createProbe(
  { server }: Bench,
  product: Product,
  user: number,
): Promise<Probe> {
  const client = connect(product.address);
  const token = await product.signIn();
  const lines = await server.connect(product.databases.nameOf('statement'));
  const walletId = walletIdOf(userIdOf(user), 'BRL');
  const waiting = new Map<bigint, number>();
  const lags: number[] = [];
  let isOver = false;
  const send = async (): Promise<void> => {
    const asked = item({ userId: userIdOf(user), operation: Operation.DEPOSIT, amountMinor: 1n });
    const request = { item: asked, dryRun: false };
    const answer = await client.call(WalletServiceService.createTransaction, request, token);
    if (!answer.ok) throw new Error(`a probe was refused: ${answer.reason}`);
    waiting.set(answer.value.transaction?.seq ?? 0n, performance.now());
  };
  const sendAll = async (): Promise<void> => {
    const sent: Promise<void>[] = [];
    while (!isOver) {
      sent.push(send());
      await sleep(sendEveryMs);
    }
    await Promise.all(sent);
  };
  /** A wallet's lines come in its order. */
  const look = async (): Promise<void> => {
    const text = 'SELECT coalesce(max(seq), 0) AS seq FROM statement_lines WHERE wallet_id = $1';
    const [row] = await lines.query<{ seq: bigint }>(text, [walletId]);
    const nowMs = performance.now();
    for (const [seq, sinceMs] of waiting) {
      if (seq > (row?.seq ?? 0n)) continue;
      lags.push(nowMs - sinceMs);
      waiting.delete(seq);
    }
  };
  const lookUntil = async (sent: Promise<void>): Promise<void> => {
    const state = { isSent: false };
    const ended = sent.finally(() => (state.isSent = true));
    while (!state.isSent || waiting.size > 0) {
      if (waiting.size > 0) await look();
      await sleep(lookEveryMs);
    }
    await ended;
  };
  let running: Promise<void> | undefined;
  return {
    start: () => {
      running = lookUntil(sendAll());
      // What it rejects with is for `end`.
      running.catch(() => undefined);
    },
    end: async () => {
      isOver = true;
      try {
        await running;
      } finally {
        client.close();
        await lines.close();
      }
      return lags;
    },
  };
}
