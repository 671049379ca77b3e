import { WalletServiceService } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connectFrames, type FrameClient } from './frames.ts';
import { maxRate, type Job } from './jobs.ts';
import { itemOf } from './load-stream.ts';
import { frame } from './wire.ts';

const { path, requestSerialize } = WalletServiceService.createTransaction;
const usualInFlight = 64;
/** A connection of the daemon's takes 100 calls at once. */
const perConnection = 64;

export function prepareUnary(job: Job): Buffer[] {
  return encodeCalls(job, Math.ceil((maxRate / 2) * job.seconds));
}

/** Bodies of so many calls, over all wallets. */
export const encodeCalls = (job: Job, count: number): Buffer[] =>
  Array.from({ length: count }, (_, n) =>
    frame(requestSerialize({ item: itemOf(job, n), dryRun: false })),
  );

/** Connections of all users in turn; `failed` rejects once one of them is lost. */
export async function connectAll(
  job: Job,
  count: number,
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

/** So many calls at any time; each one that ends is followed by the next. */
export async function runUnary(
  job: Job,
  bodies: readonly Buffer[],
): Promise<{ done: number; refused: number; seconds: number }> {
  const inFlight = job.inFlight ?? usualInFlight;
  const connections = Math.max(2, Math.ceil(inFlight / perConnection));
  const { clients, failed } = await connectAll(job, connections);
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
      client.call(body, (status) => {
        open -= 1;
        if (status === 0) total.done += 1;
        else total.refused += 1;
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
