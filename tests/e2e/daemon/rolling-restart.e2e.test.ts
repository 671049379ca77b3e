import { setTimeout as sleep } from 'node:timers/promises';

import { Client } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  GenerateStatementRequest,
  StatementServiceService,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  CreateTransactionRequest,
  GetBalanceRequest,
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Daemon } from '../../../scripts/product.ts';
import { callAny, type AnyMethod, type Outcome } from '../../support/grpc/any-call.ts';
import {
  createDrainStage,
  type DrainStage,
  type Door,
  type User,
} from '../../support/processes/drain-stage.ts';
import { item } from '../../support/grpc/client.ts';
import { startHaproxy, type Backend, type Balancer } from '../../support/processes/haproxy.ts';
import { findFreePort } from '../../support/free-port.ts';
import { openStream, outcomeOf } from '../../support/grpc/stream.ts';
import { queryUrl } from '../../support/postgres/client.ts';

let stage: DrainStage;

beforeAll(async () => {
  stage = await createDrainStage();
}, 120_000);
afterAll(() => stage.dispose());

type Counts = {
  calls: number;
  deposits: number;
  streamItems: number;
  /** Refused for the moment, certainly not done, and sent again under the same key. */
  retried: number;
  /** Without an answer of ours: whether it was done is not known. */
  unknown: number;
  failed: number;
  readonly notes: string[];
};

const certain = new Set([
  'SHUTTING_DOWN',
  'OVERLOADED',
  'AUTH_UNAVAILABLE',
  'DATABASE_UNAVAILABLE',
]);
const depositItem = () => item({ currency: 'BRL', operation: Operation.DEPOSIT, amountMinor: 1n });

type Load = { readonly counts: Counts; stop(): Promise<void> };

/**
 * Clients that deposit, read, and send streams, each by a connection of its own to the balancer.
 */
function startLoad(address: string, door: Door, users: readonly User[]): Load {
  const counts: Counts = {
    ...{ calls: 0, deposits: 0, streamItems: 0, retried: 0, unknown: 0, failed: 0, notes: [] },
  };
  let isOver = false;
  const { createTransaction, getBalance } = WalletServiceService;
  const { generateStatement } = StatementServiceService;
  const note = (outcome: Pick<Outcome, 'reason' | 'message'>): void =>
    void counts.notes.push(`${outcome.reason}: ${outcome.message}`);
  const call = async (client: Client, method: object, request: object, token: string) => {
    for (let tries = 0; tries < 20; tries += 1) {
      const outcome = await callAny(client, method as AnyMethod, request, `Bearer ${token}`);
      if (outcome.code === 0) {
        counts.calls += 1;
        if (method === createTransaction) counts.deposits += 1;
        return;
      }
      note(outcome);
      const isUnknown = /^code /.test(outcome.reason) || outcome.reason === 'OUTCOME_UNKNOWN';
      if (isUnknown) counts.unknown += 1;
      else if (certain.has(outcome.reason)) counts.retried += 1;
      else break;
      await sleep(50);
    }
    counts.failed += 1;
  };
  const callForEver = async (client: Client, { token }: User): Promise<void> => {
    while (!isOver) {
      const deposit = CreateTransactionRequest.fromPartial({ item: depositItem() });
      await call(client, createTransaction, deposit, token);
      const balance = GetBalanceRequest.fromPartial({ currency: 'BRL' });
      await call(client, getBalance, balance, token);
    }
  };
  const readForEver = async (client: Client, { token }: User): Promise<void> => {
    while (!isOver) {
      const request = GenerateStatementRequest.fromPartial({ currency: 'BRL', pageSize: 5 });
      await call(client, generateStatement, request, token);
      await sleep(20);
    }
  };
  /** A stream until it ends, then another with what was not answered. */
  const streamForEver = async ({ token }: User): Promise<void> => {
    let waiting = [depositItem()];
    while (!isOver) {
      const stream = openStream(address, token, stage.channel(door));
      let hasEnded = false;
      void stream.ended.then(() => (hasEnded = true));
      const goesOn = (): boolean => !isOver && !hasEnded;
      let answered = 0;
      while (goesOn()) {
        stream.send(waiting);
        await stream.waitFor(answered + waiting.length);
        const outcomes = stream.results.slice(answered).map(outcomeOf);
        answered += outcomes.length;
        const others = outcomes.filter((outcome) => outcome !== 'done');
        others.forEach((reason) => note({ reason, message: 'stream item' }));
        const refused = others.filter((reason) => certain.has(reason));
        counts.streamItems += outcomes.length - others.length;
        counts.retried += refused.length;
        counts.failed += others.length - refused.length;
        const isSentAgain = (outcome?: string): boolean =>
          outcome === undefined || certain.has(outcome);
        waiting = waiting.filter((_item, i) => isSentAgain(outcomes[i]));
        if (waiting.length === 0) waiting = [depositItem(), depositItem(), depositItem()];
        await sleep(5);
      }
      stream.halfClose();
      const end = await stream.ended;
      stream.close();
      if (end === 'OK') continue;
      note({ reason: end, message: 'stream' });
      if (certain.has(end)) counts.retried += 1;
      else counts.unknown += 1;
      await sleep(50);
    }
  };
  const clients = users.map(() => {
    const options = { 'grpc.use_local_subchannel_pool': 1 };
    return new Client(address, stage.channel(door), options);
  });
  const running = users.flatMap((user, i) => {
    const client = clients[i];
    if (!client) return [];
    const calls = [callForEver, callForEver, readForEver].map((work) => work(client, user));
    return [...calls, streamForEver(user)];
  });
  return {
    counts,
    stop: async () => {
      isOver = true;
      await Promise.all(running);
      clients.forEach((client) => client.close());
    },
  };
}

async function countEntries(): Promise<number> {
  const url = stage.server.url({ database: 'wallet' });
  const [row] = await queryUrl<{ n: number }>(url, 'SELECT count(*)::int AS n FROM transactions');
  return row?.n ?? 0;
}

async function startDaemon(door: Door, { listen, metrics }: Backend): Promise<Daemon> {
  return stage.start(door, { WALLETD_LISTEN: listen, WALLETD_METRICS_LISTEN: metrics });
}

const newBackend = async (): Promise<Backend> => ({
  listen: `127.0.0.1:${await findFreePort()}`,
  metrics: `127.0.0.1:${await findFreePort()}`,
});

describe.each(['plaintext', 'TLS'] as const)('two daemons behind HAProxy, with %s', (door) => {
  it('two daemons are restarted one after the other under load, and no call is lost', async () => {
    const backends = [await newBackend(), await newBackend()] as const;
    const daemons = [await startDaemon(door, backends[0]), await startDaemon(door, backends[1])];
    const balancer: Balancer = await startHaproxy(backends, door === 'TLS' ? stage.tls : undefined);
    await sleep(1_000);
    const users: User[] = [];
    for (let i = 0; i < 4; i += 1) {
      users.push(await stage.signUp(balancer, door, `user${i}-${door.toLowerCase()}`));
    }
    const before = await countEntries();
    const load = startLoad(balancer.address, door, users);
    await sleep(1_000);
    for (let restart = 0; restart < 4; restart += 1) {
      const i = restart % 2;
      daemons[i]?.kill('SIGTERM');
      expect(await daemons[i]?.exited).toBe(0);
      daemons[i] = await startDaemon(door, backends[i === 0 ? 0 : 1]);
      // The balancer looks at each daemon several times a second.
      await sleep(1_500);
    }
    await load.stop();
    const { notes, ...counts } = load.counts;
    const reasons = Object.fromEntries(
      [...new Set(notes)].map((each) => [each, notes.filter((other) => other === each).length]),
    );
    console.log(`rolling restart, ${door}: ${JSON.stringify({ ...counts, reasons }, null, 1)}`);
    expect({ unknown: counts.unknown, failed: counts.failed }).toEqual({ unknown: 0, failed: 0 });
    // Each answer stands for one entry, and no entry is without one.
    expect((await countEntries()) - before).toBe(counts.deposits + counts.streamItems);
    expect(counts.calls).toBeGreaterThan(100);
    expect(counts.streamItems).toBeGreaterThan(100);
    await balancer.stop();
    for (const daemon of daemons) daemon.kill('SIGTERM');
    expect(await Promise.all(daemons.map((daemon) => daemon.exited))).toEqual([0, 0]);
  });
});
