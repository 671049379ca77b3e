import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  StatementServiceService,
  WatchLinesRequest,
  type WatchedLine,
  type WatchLinesResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { startWalletd, type Daemon } from '../../../scripts/product.ts';
import { signUp } from '../../support/broker/producer.ts';
import { startRabbitMq, type RabbitMq } from '../../support/broker/rabbitmq.ts';
import { readEnd } from '../../support/grpc/any-call.ts';
import { connect, item } from '../../support/grpc/client.ts';
import { queryService, readUrls, waitUntil } from '../../support/ledger/ledger.ts';
import { createWorld, expectCode, password, type World } from '../../support/processes/world.ts';

let broker: RabbitMq;
let world: World;
/** The same after each start. */
let first: string;
let second: Daemon;
let env: Record<string, string>;

beforeAll(async () => {
  broker = await startRabbitMq();
  env = { RABBITMQ_URL: broker.url(await broker.createVhost()) };
  world = await createWorld();
  first = (await world.start(env)).address;
  const { runtime } = await readUrls(world.dataDir);
  second = await startWalletd({
    ...env,
    ...{ PATH: process.env['PATH'] ?? '', HOME: world.folder, WALLETD_LISTEN: '127.0.0.1:0' },
    ...{ WALLETD_METRICS_LISTEN: 'off', SELF_SERVICE_OPERATIONS: 'deposit' },
    AUTH_SIGNING_KEY_FILE: join(world.dataDir, 'signing-key.pem'),
    AUTH_DATABASE_URL: runtime('auth'),
    WALLET_DATABASE_URL: runtime('wallet'),
    STATEMENT_DATABASE_URL: runtime('statement'),
  });
});
afterAll(async () => {
  second.kill('SIGTERM');
  await second.exited;
  await world.dispose();
  await broker.dispose();
});

type Watching = {
  readonly address: string;
  readonly token: string;
  readonly request: Partial<WatchLinesRequest>;
  readonly onResponse: (response: WatchLinesResponse) => void;
  /** Looked at ten times a second. */
  readonly isOver?: () => boolean;
};

/** Watches until the stream ends: the reason. */
function watch({ address, token, request, onResponse, isOver }: Watching): Promise<string> {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  const { path, requestSerialize, responseDeserialize } = StatementServiceService.watchLines;
  const stream = client.makeServerStreamRequest<WatchLinesRequest, WatchLinesResponse>(
    ...([path, requestSerialize, responseDeserialize] as const),
    WatchLinesRequest.fromPartial(request),
    metadata,
  );
  let isLeft = false;
  const leave = (): void => {
    isLeft = true;
    stream.cancel();
  };
  stream.on('data', (response: WatchLinesResponse) => {
    if (!isLeft) onResponse(response);
    if (isOver?.()) leave();
  });
  const timer = setInterval(() => isOver?.() && leave(), 100);
  return new Promise<string>((resolve) => {
    stream.on('error', (err) => resolve(readEnd(err as ServiceError).reason));
    stream.on('end', () => resolve('OK'));
  }).finally(() => {
    clearInterval(timer);
    client.close();
  });
}

const deposit = async (address: string, token: string, currency: string): Promise<boolean> => {
  const client = connect(address);
  const wanted = item({ operation: Operation.DEPOSIT, amountMinor: 100n, currency });
  const { createTransaction } = WalletServiceService;
  const answer = await client.call(
    createTransaction,
    { item: wanted, dryRun: false },
    token,
    5_000,
  );
  client.close();
  return answer.ok;
};

async function createOperator(name: string): Promise<string> {
  const email = `${name}@example.com`;
  const args = ['users', 'create', '--email', email, '--role', 'operator'];
  expectCode(await world.walletd(args, password), 0);
  const client = connect(second.address);
  const request = { email, password, client: '', deviceToken: '' };
  const signedIn = await client.call(AuthServiceService.signIn, request);
  client.close();
  return signedIn.ok ? (signedIn.value.tokens?.accessToken ?? '') : '';
}

const currencies = ['BRL', 'EUR', 'JPY', 'USD'];

/** Deposits by each person until it is stopped, in one currency after the other. */
function startLoad(people: readonly { readonly token: string }[]): () => Promise<number> {
  let isOver = false;
  const work = people.map(async ({ token }, i) => {
    let done = 0;
    for (let n = 0; !isOver; n += 1) {
      const address = (n + i) % 2 === 0 ? first : second.address;
      const currency = currencies[Math.min(3, Math.floor(n / 40))] ?? '';
      if (await deposit(address, token, currency)) done += 1;
      else await sleep(100);
    }
    return done;
  });
  return async () => {
    isOver = true;
    return (await Promise.all(work)).reduce((sum, done) => sum + done, 0);
  };
}

const count = async (service: string, table: string): Promise<number> =>
  (await queryService(world.dataDir, service, `SELECT 1 FROM ${table}`)).length;

/** All lines that are stored, as texts, by wallet. */
async function readStored(): Promise<Record<string, string[]>> {
  type Row = { wallet_id: string; seq: string; hash: string };
  const rows = await queryService<Row>(
    world.dataDir,
    'statement',
    "SELECT wallet_id, seq, encode(hash, 'hex') AS hash FROM statement_lines ORDER BY wallet_id, seq",
  );
  return groupByWallet(rows.map((row) => [row.wallet_id, `${row.seq} ${row.hash}`]));
}

function groupByWallet(pairs: readonly (readonly [string, string])[]): Record<string, string[]> {
  const groups: Record<string, string[]> = {};
  for (const [walletId, text] of pairs) (groups[walletId] ??= []).push(text);
  return groups;
}

const toPair = ({ walletId, line }: WatchedLine): readonly [string, string] => [
  walletId,
  `${line?.seq} ${Buffer.from(line?.hash ?? []).toString('hex')}`,
];

it('a watch that is resumed through kills of a daemon misses and repeats no line', async () => {
  const names = ['ana', 'bia', 'caio'];
  const people = await Promise.all(names.map((name) => signUp(first, name)));
  const token = await createOperator('olga');
  const userIds = people.map(({ id }) => id);
  const seen: WatchedLine[] = [];
  const ends: string[] = [];
  let most = Infinity;
  let cursor = '';
  const watching = (async () => {
    for (let turn = 0; seen.length < most; turn += 1) {
      const before = seen.length;
      const address = turn % 2 === 0 ? first : second.address;
      const onResponse = (response: WatchLinesResponse): void => {
        seen.push(...response.lines);
        ({ cursor } = response);
      };
      const isOver = (): boolean => seen.length >= most || seen.length - before >= 100;
      const request = { userIds, cursor };
      ends.push(await watch({ address, token, request, onResponse, isOver }));
      await sleep(50);
    }
  })();
  await waitUntil('a first response', () => Promise.resolve(cursor !== ''));
  const stopLoad = startLoad(people);
  for (let kill = 0; kill < 3; kill += 1) {
    await sleep(2_500);
    await world.kill();
    await world.start(env);
  }
  await sleep(1_000);
  const deposits = await stopLoad();
  await waitUntil('an empty outbox', async () => (await count('wallet', 'outbox')) === 0);
  const total = await count('wallet', 'transactions');
  await waitUntil('all lines', async () => (await count('statement', 'statement_lines')) === total);
  most = total;
  await watching;
  console.info(`${total} lines through ${ends.length} streams: ${[...new Set(ends)].join(', ')}`);
  expect(total).toBeGreaterThanOrEqual(deposits);
  expect(ends.length).toBeGreaterThan(3);
  expect(groupByWallet(seen.map(toPair))).toEqual(await readStored());
}, 240_000);

it('a sign-out at one daemon ends a watch at the other', async () => {
  const token = await createOperator('otto');
  const dora = await signUp(first, 'dora');
  let responses = 0;
  const watching = watch({
    ...{ address: second.address, token, request: { userIds: [dora.id] } },
    onResponse: () => (responses += 1),
  });
  await waitUntil('a first response', () => Promise.resolve(responses > 0));
  const client = connect(first);
  expect((await client.call(AuthServiceService.signOut, {}, token)).ok).toBe(true);
  client.close();
  expect(await watching).toBe('TOKEN_REVOKED');
});
