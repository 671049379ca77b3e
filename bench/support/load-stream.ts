import { once } from 'node:events';
import type { IncomingHttpHeaders } from 'node:http2';

import {
  Operation,
  WalletServiceService,
  type TransactionItem,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { maxRate, type Job } from './jobs.ts';
import { userIdOf } from './product.ts';
import { countResults, createUnframer, frame, openCall, openSession } from './wire.ts';

const { path, requestSerialize, responseDeserialize } = WalletServiceService.streamTransactions;
const messageSize = 1_000;
const paceMs = 10;
/** A paced stream sends small messages, evenly: about one at a time. */
const maxPacedSize = 100;
const pacedSizeOf = (rate: number): number =>
  Math.min(maxPacedSize, Math.max(1, Math.round((rate * paceMs) / 1_000)));
type Result = {
  readonly done: number;
  readonly refused: number;
  readonly reasons: Readonly<Record<string, number>>;
  readonly seconds: number;
};

/** Messages sent and not yet answered; the daemon handles as many at once. */
const inFlight = 6;

/** Bodies of one stream, encoded: alternately deposits and withdrawals, over all wallets. */
export function prepareStream(job: Job): Buffer[] {
  const size = job.rate === undefined ? messageSize : pacedSizeOf(job.rate);
  const count =
    job.kind === 'fund'
      ? job.wallets
      : Math.ceil(((job.rate ?? maxRate) * job.seconds) / size) * size;
  const bodies: Buffer[] = [];
  for (let start = 0; start < count; start += size) {
    const length = Math.min(size, count - start);
    const items = Array.from({ length }, (_, i) => itemOf(job, start + i));
    bodies.push(frame(requestSerialize({ items, dryRun: false })));
  }
  return bodies;
}

/** Primes. A stream for each, over all wallets, whose orders have nothing to do with each other. */
const steps = [7_919, 6_151, 4_409, 2_729] as const;

/** The job of each daemon's stream. */
const splitJob = (job: Job): Job[] =>
  job.addresses.map((address, n) => {
    const step = steps[n];
    if (step === undefined) throw new Error(`there are only ${steps.length} streams`);
    return { ...job, address, step, prefix: `${job.prefix} ${n}` };
  });

/** Bodies of a stream to each daemon. */
export const prepareStreams = (job: Job): Buffer[][] => splitJob(job).map(prepareStream);

/** A stream to each daemon at once, over the same wallets. */
export async function runStreams(job: Job, bodies: readonly Buffer[][]): Promise<Result> {
  const jobs = splitJob(job);
  const results = await Promise.all(jobs.map((each, n) => runStream(each, bodies[n] ?? [])));
  const sum = (read: (result: Result) => number): number =>
    results.reduce((total, result) => total + read(result), 0);
  return {
    done: sum(({ done }) => done),
    refused: sum(({ refused }) => refused),
    reasons: addUp(results.map(({ reasons }) => reasons)),
    seconds: Math.max(...results.map(({ seconds }) => seconds)),
  };
}

function addUp(all: readonly Result['reasons'][]): Record<string, number> {
  const total: Record<string, number> = {};
  for (const [reason, count] of all.flatMap(Object.entries<number>)) {
    total[reason] = (total[reason] ?? 0) + count;
  }
  return total;
}

/** From one wallet to another, in no order; never to the same. */
function transferOf(job: Job, n: number): TransactionItem {
  const from = (n * steps[0]) % job.wallets;
  const distance = 1 + ((n * steps[1]) % (job.wallets - 1));
  return {
    ...{ userId: userIdOf(from), currency: '', operation: Operation.TRANSFER, metadata: {} },
    ...{ amountMinor: 100n, toUserId: userIdOf((from + distance) % job.wallets) },
    idempotencyKey: `${job.prefix} ${n}`,
  };
}

/** Neighbours on the stream are far apart in the table. */
export function itemOf(job: Job, n: number): TransactionItem {
  if (job.kind === 'transfers') return transferOf(job, n);
  const isFunding = job.kind === 'fund';
  return {
    userId: userIdOf(isFunding ? n : (n * (job.step ?? steps[0])) % job.wallets),
    currency: '',
    operation: isFunding || n % 2 === 0 ? Operation.DEPOSIT : Operation.WITHDRAW,
    amountMinor: isFunding ? 1_000_000_000n : 100n,
    metadata: {},
    idempotencyKey: `${job.prefix} ${n}`,
  };
}

/** One client, one stream; a new message goes once an earlier one is answered. */
export async function runStream(job: Job, bodies: readonly Buffer[]): Promise<Result> {
  const session = await openSession(job.address);
  const call = openCall(session, path, job.token);
  let status = 'no status';
  const readStatus = (headers: IncomingHttpHeaders): void => {
    const code = headers['grpc-status'];
    if (code !== undefined) status = [code, headers['grpc-message'] ?? ''].flat().join(' ');
  };
  call.on('response', readStatus);
  call.on('trailers', readStatus);
  const total = { done: 0, refused: 0, reasons: {} as Record<string, number> };
  const startedAt = performance.now();
  const endsAt = startedAt + job.seconds * 1_000;
  let next = 0;
  let answered = 0;
  const isDue = (): boolean =>
    job.kind === 'fund' ||
    (performance.now() < endsAt &&
      (job.rate === undefined ||
        next * pacedSizeOf(job.rate) < ((performance.now() - startedAt) / 1_000) * job.rate));
  const send = (): void => {
    const body = bodies[next];
    if (body && isDue()) {
      next += 1;
      call.write(body);
    } else if (answered === next && (!body || job.kind === 'fund' || performance.now() >= endsAt)) {
      call.end();
    }
  };
  call.on(
    'data',
    createUnframer((body) => {
      const { done, refused } = countResults(body);
      total.done += done;
      total.refused += refused;
      if (refused > 0) countReasons(body, total.reasons);
      answered += 1;
      send();
    }),
  );
  for (let i = 0; i < inFlight; i += 1) send();
  const pacing = setInterval(() => {
    while (job.rate !== undefined && next < answered + 4 * inFlight && isDue()) send();
    if (performance.now() >= endsAt) send();
  }, paceMs);
  await once(call, 'close');
  clearInterval(pacing);
  const seconds = (performance.now() - startedAt) / 1_000;
  session.close();
  if (!/^0\b/.test(status)) throw new Error(`the stream ended with ${status}`);
  return { ...total, seconds };
}

/** Only where something was refused: to decode a response costs more than to count it. */
function countReasons(body: Buffer, reasons: Record<string, number>): void {
  for (const { outcome } of responseDeserialize(body).results) {
    if (outcome?.$case !== 'refusal') continue;
    const { reason } = outcome.value;
    reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
}
