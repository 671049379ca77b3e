import { WalletServiceService } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { maxRate, type Job } from './jobs.ts';
import { itemOf } from './load-stream.ts';
import { frame, openCall, openSession } from './wire.ts';

const { path, requestSerialize } = WalletServiceService.createTransaction;
const inFlight = 64;
/** A connection of the daemon's takes 100 calls at once. */
const connections = 2;

export function prepareUnary(job: Job): Buffer[] {
  const count = Math.ceil((maxRate / 4) * job.seconds);
  return Array.from({ length: count }, (_, n) =>
    frame(requestSerialize({ item: itemOf(job, n), dryRun: false })),
  );
}

/** 64 calls at any time; each one that ends is followed by the next. */
export async function runUnary(
  job: Job,
  bodies: readonly Buffer[],
): Promise<{ done: number; refused: number; seconds: number }> {
  const sessions = await Promise.all(
    Array.from({ length: connections }, () => openSession(job.address)),
  );
  const total = { done: 0, refused: 0 };
  const startedAt = performance.now();
  const endsAt = startedAt + job.seconds * 1_000;
  let next = 0;
  const work = async (session: (typeof sessions)[number]): Promise<void> => {
    for (;;) {
      const body = bodies[next];
      if (!body || performance.now() >= endsAt) return;
      next += 1;
      const isDone = await callOnce(session, job.token, body);
      if (isDone) total.done += 1;
      else total.refused += 1;
    }
  };
  await Promise.all(
    Array.from({ length: inFlight }, (_, i) => {
      const session = sessions[i % connections];
      if (!session) throw new Error('no connection');
      return work(session);
    }),
  );
  const seconds = (performance.now() - startedAt) / 1_000;
  for (const session of sessions) session.close();
  return { ...total, seconds };
}

type Session = Awaited<ReturnType<typeof openSession>>;

/** Resolves to whether the status is OK, once answer and trailers have come. */
function callOnce(session: Session, token: string, body: Buffer): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const call = openCall(session, path, token);
    let isOk = false;
    const read = (headers: Record<string, unknown>): void => {
      if (headers['grpc-status'] === '0') isOk = true;
    };
    call.on('response', read);
    call.on('trailers', read);
    call.on('error', reject);
    call.on('close', () => resolve(isOk));
    call.resume();
    call.end(body);
  });
}
