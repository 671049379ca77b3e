import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connect, item, type Connection } from '../../support/grpc/client.ts';
import { createFaultSite, type FaultSite } from '../site/fault-site.ts';
import type { Person } from '../site/people.ts';

/** What a client saw: the answer, and after how long. */
export type Seen = { readonly key: string; readonly answer: string; readonly ms: number };

export type NamedStage = {
  readonly site: FaultSite;
  readonly person: Person;
  /** A deposit of 1.00: `done`, `replayed`, or the reason of the refusal. */
  deposit(options?: { readonly key?: string; readonly timeoutMs?: number }): Promise<Seen>;
  /** Deposits one after the other until this; what their client saw. */
  depositUntil(isOver: () => boolean): Promise<readonly Seen[]>;
  /** Again under each key, until the ledger has answered. */
  settle(seen: readonly Seen[]): Promise<readonly string[]>;
  balance(): Promise<bigint>;
  dispose(): Promise<void>;
};

const settleMs = 60_000;
const isAnswered = (answer: string): boolean => answer === 'done' || answer === 'replayed';

/** One daemon, and a customer of it. */
export async function createNamedStage(): Promise<NamedStage> {
  const ended: string[] = [];
  const site = await createFaultSite({
    customers: 1,
    daemons: 1,
    onEnd: (node, code, log) => ended.push(`${node} ended with ${String(code)}: ${log}`),
  });
  const [person] = site.customers;
  const [node] = site.nodes;
  if (!person) throw new Error('there is no customer');
  const connection: Connection = connect(node.address);
  const deposit: NamedStage['deposit'] = async ({ key = randomUUID(), timeoutMs } = {}) => {
    const wanted = { currency: 'BRL', operation: Operation.DEPOSIT, amountMinor: 100n };
    const request = { item: item({ ...wanted, idempotencyKey: key }), dryRun: false };
    const fromMs = performance.now();
    const method = WalletServiceService.createTransaction;
    const got = await connection.call(method, request, person.token, timeoutMs);
    const answer = got.ok ? (got.value.replayed ? 'replayed' : 'done') : got.reason;
    return { key, answer, ms: performance.now() - fromMs };
  };
  return {
    ...{ site, person, deposit },
    depositUntil: async (isOver) => {
      const seen: Seen[] = [];
      while (!isOver()) {
        seen.push(await deposit());
        await sleep(50);
      }
      return seen;
    },
    settle: async (seen) => {
      const endsAtMs = performance.now() + settleMs;
      const answers: string[] = [];
      for (const { key } of seen) {
        let { answer } = await deposit({ key });
        while (!isAnswered(answer) && performance.now() < endsAtMs) {
          await sleep(200);
          answer = (await deposit({ key })).answer;
        }
        answers.push(answer);
      }
      return answers;
    },
    balance: async () => {
      const request = { userId: '', currency: 'BRL', at: undefined };
      const method = WalletServiceService.getBalance;
      const got = await connection.call(method, request, person.token);
      if (!got.ok) throw new Error(got.reason);
      return got.value.wallet?.balanceMinor ?? 0n;
    },
    dispose: async () => {
      connection.close();
      await site.dispose();
      if (ended.length > 0) throw new Error(ended.join('\n'));
    },
  };
}
