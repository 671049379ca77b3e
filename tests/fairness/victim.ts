import { setTimeout as sleep } from 'node:timers/promises';

import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';

import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Operation,
  WalletServiceService,
  type StreamTransactionsRequest,
  type StreamTransactionsResponse,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { item } from '../support/grpc/client.ts';
import { password } from '../support/processes/world.ts';

// A correct client of another network: a connection, a sign-in, a deposit and a stream, repeatedly.
// Prints one JSON object at the end. Arguments: address, seconds, people.

export type VictimReport = Readonly<
  Record<Step, { readonly tookMs: readonly number[]; readonly failures: readonly string[] }>
>;
type Step = 'signIn' | 'deposit' | 'stream' | 'dryRun';

const deadlineMs = 20_000;
const pauseMs = 250;
const [address = '', seconds = '60', people = '20'] = process.argv.slice(2);

const options = () => ({ deadline: Date.now() + deadlineMs });
const deposited = () => item({ operation: Operation.DEPOSIT, amountMinor: 100n, currency: 'BRL' });

const report = {
  signIn: { tookMs: [] as number[], failures: [] as string[] },
  deposit: { tookMs: [] as number[], failures: [] as string[] },
  stream: { tookMs: [] as number[], failures: [] as string[] },
  dryRun: { tookMs: [] as number[], failures: [] as string[] },
} satisfies VictimReport;

const endsAt = performance.now() + Number(seconds) * 1_000;
for (let round = 0; performance.now() < endsAt; round += 1) {
  await visit(round % Number(people));
  await sleep(pauseMs);
}
console.log(JSON.stringify(report));
process.exit(0);

async function visit(person: number): Promise<void> {
  const client = new Client(address, credentials.createInsecure(), {
    'grpc.use_local_subchannel_pool': 1,
  });
  try {
    const token = await measure('signIn', () => signIn(client, `victim${person}@example.com`));
    if (token === undefined) return;
    await measure('deposit', () => deposit(client, token));
    await measure('stream', () => stream(client, token, false));
    await measure('dryRun', () => stream(client, token, true));
  } finally {
    client.close();
  }
}

async function measure<T>(step: Step, work: () => Promise<T>): Promise<T | undefined> {
  const startedAt = performance.now();
  try {
    return await work();
  } catch (err) {
    report[step].failures.push((err as ServiceError).message);
    return undefined;
  } finally {
    report[step].tookMs.push(performance.now() - startedAt);
  }
}

function signIn(client: Client, email: string): Promise<string> {
  const { path, requestSerialize, responseDeserialize } = AuthServiceService.signIn;
  const request = { email, password, client: 'victim', deviceToken: '' };
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      new Metadata(),
      options(),
      (err, value) => (err ? reject(err) : resolve(value?.tokens?.accessToken ?? '')),
    );
  });
}

function bearer(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  return metadata;
}

function deposit(client: Client, token: string): Promise<void> {
  const { path, requestSerialize, responseDeserialize } = WalletServiceService.createTransaction;
  const request = { item: deposited(), dryRun: false };
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      bearer(token),
      options(),
      (err) => (err ? reject(err) : resolve()),
    );
  });
}

/** Ten items in one message, all of them done, and the stream ended. */
function stream(client: Client, token: string, dryRun: boolean): Promise<void> {
  const { path, requestSerialize, responseDeserialize } = WalletServiceService.streamTransactions;
  return new Promise((resolve, reject) => {
    const call = client.makeBidiStreamRequest<
      StreamTransactionsRequest,
      StreamTransactionsResponse
    >(path, requestSerialize, responseDeserialize, bearer(token), options());
    let done = 0;
    call.on('data', ({ results }: StreamTransactionsResponse) => {
      done += results.filter(({ outcome }) => outcome?.$case === 'created').length;
    });
    call.on('error', reject);
    call.on('end', () => (done === 10 ? resolve() : reject(new Error(`${done} of 10 were done`))));
    call.write({ items: Array.from({ length: 10 }, deposited), dryRun });
    call.end();
  });
}
