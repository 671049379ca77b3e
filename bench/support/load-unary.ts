import { WalletServiceService } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connectFrames, type FrameClient } from './frames.ts';
import { maxRate, type Job } from './jobs.ts';
import { itemOf } from './load-stream.ts';
import { countResults, frame, headBytes } from './wire.ts';

const { createTransaction, batchCreateTransactions } = WalletServiceService;
const usualInFlight = 64;
/** Items of a batch. */
const batchSize = 20;
/** Calls of a connection at once: their bodies fit into the daemon's window (64 KiB). */
const batchesPerConnection = 16;
/** A connection of the daemon's takes 100 calls at once. */
const perConnection = 64;

export function prepareUnary(job: Job): Buffer[] {
  return encodeCalls(job, Math.ceil((maxRate / 2) * job.seconds));
}

/** Bodies of so many calls, over all wallets. */
export const encodeCalls = (job: Job, count: number): Buffer[] =>
  Array.from({ length: count }, (_, n) =>
    frame(createTransaction.requestSerialize({ item: itemOf(job, n), dryRun: false })),
  );

/** Bodies of batches, over all wallets. */
export const prepareBatches = (job: Job): Buffer[] =>
  Array.from({ length: Math.ceil((maxRate * job.seconds) / batchSize) }, (_, n) => {
    const items = Array.from({ length: batchSize }, (_item, i) => itemOf(job, n * batchSize + i));
    return frame(batchCreateTransactions.requestSerialize({ items, dryRun: false }));
  });

/** Connections of all users in turn; `failed` rejects once one of them is lost. */
export async function connectAll(
  job: Job,
  count: number,
  path: string = createTransaction.path,
): Promise<{ readonly clients: readonly FrameClient[]; readonly failed: Promise<never> }> {
  const tokens = job.tokens ?? [job.token];
  let fail: (err: Error) => void = () => undefined;
  const failed = new Promise<never>((_resolve, reject) => (fail = reject));
  const clients = await Promise.all(
    Array.from({ length: count }, (_, i) =>
      connectFrames(job.address, path, tokens[i % tokens.length] ?? '', fail),
    ),
  );
  return { clients, failed };
}

type Result = { done: number; refused: number; seconds: number };
/** What the answer to a call says of its transactions. */
type Count = (status: number, answer: Buffer) => { done: number; refused: number };

const countOne: Count = (status) =>
  status === 0 ? { done: 1, refused: 0 } : { done: 0, refused: 1 };
const countBatch: Count = (status, answer) =>
  status === 0 ? countResults(answer.subarray(headBytes)) : { done: 0, refused: batchSize };

export const runUnary = (job: Job, bodies: readonly Buffer[]): Promise<Result> =>
  runCalls(job, bodies, { path: createTransaction.path, perConnection, count: countOne });

export const runBatches = (job: Job, bodies: readonly Buffer[]): Promise<Result> =>
  runCalls(job, bodies, {
    path: batchCreateTransactions.path,
    perConnection: batchesPerConnection,
    count: countBatch,
  });

/** So many calls at any time; each one that ends is followed by the next. */
async function runCalls(
  job: Job,
  bodies: readonly Buffer[],
  method: { readonly path: string; readonly perConnection: number; readonly count: Count },
): Promise<Result> {
  const inFlight = job.inFlight ?? usualInFlight;
  const connections = Math.max(2, Math.ceil(inFlight / method.perConnection));
  const { clients, failed } = await connectAll(job, connections, method.path);
  const total = { done: 0, refused: 0 };
  const startedAt = performance.now();
  const endsAt = startedAt + job.seconds * 1_000;
  let next = 0;
  let open = 0;
  const ended = new Promise<void>((resolve) => {
    const send = (client: FrameClient): void => {
      const body = bodies[next];
      if (!body || performance.now() >= endsAt) {
        if (open === 0) resolve();
        return;
      }
      next += 1;
      open += 1;
      client.call(body, (status, answer) => {
        open -= 1;
        const { done, refused } = method.count(status, answer);
        total.done += done;
        total.refused += refused;
        send(client);
      });
    };
    for (let i = 0; i < inFlight; i += 1) {
      const client = clients[i % connections];
      if (client) send(client);
    }
  });
  await Promise.race([ended, failed]);
  const seconds = (performance.now() - startedAt) / 1_000;
  for (const client of clients) client.close();
  return { ...total, seconds };
}
