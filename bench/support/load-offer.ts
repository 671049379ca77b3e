import type { FrameClient } from './frames.ts';
import type { Job, Offer, Waits } from './jobs.ts';
import { connectAll, encodeCalls } from './load-unary.ts';
import { percentile } from './rounds.ts';

/** A connection takes 100 calls at once, so 6,400 together: far more than are served in time. */
const connections = 64;
const paceMs = 2;

export const prepareOffer = (job: Job): Buffer[] =>
  encodeCalls(job, Math.ceil((job.rate ?? 0) * job.seconds));

/**
 * Calls that come at a fixed rate, whatever becomes of those before them. One that is due while
 * all streams are taken would wait within its client; it is counted and not sent.
 */
export async function runOffer(
  job: Job,
  bodies: readonly Buffer[],
): Promise<{ done: number; refused: number; seconds: number; offer: Offer }> {
  const { clients, failed } = await connectAll(job, connections);
  const waits = { done: [] as number[], refused: [] as number[] };
  const counts = { sent: 0, held: 0, steady: 0, odd: 0 };
  const startedAt = performance.now();
  const endsAt = startedAt + job.seconds * 1_000;
  // What is under way fills up first, and is still there at the end: neither is counted.
  const countedFrom = startedAt + (job.seconds * 1_000) / 3;
  let open = 0;
  const send = (client: FrameClient, body: Buffer): void => {
    const sentAt = performance.now();
    counts.sent += 1;
    open += 1;
    client.call(body, (status) => {
      const nowMs = performance.now();
      open -= 1;
      if (status === 0) {
        waits.done.push(nowMs - sentAt);
        if (nowMs >= countedFrom && nowMs < endsAt) counts.steady += 1;
      } else if (status === resourceExhausted) waits.refused.push(nowMs - sentAt);
      else counts.odd += 1;
    });
  };
  let next = 0;
  let turn = 0;
  const sendDue = (): void => {
    const due = Math.floor(((performance.now() - startedAt) / 1_000) * (job.rate ?? 0));
    for (; next < Math.min(due, bodies.length); next += 1) {
      const client = findRoom(clients, turn);
      turn += 1;
      const body = bodies[next];
      if (client && body) send(client, body);
      else counts.held += 1;
    }
  };
  const ended = new Promise<void>((resolve) => {
    const pacing = setInterval(() => {
      if (performance.now() < endsAt) {
        sendDue();
      } else if (open === 0) {
        clearInterval(pacing);
        resolve();
      }
    }, paceMs);
  });
  await Promise.race([ended, failed]);
  for (const client of clients) client.close();
  if (counts.odd > 0) throw new Error(`${counts.odd} calls were neither done nor refused`);
  const { sent, held } = counts;
  const donePerSecond = counts.steady / ((job.seconds * 2) / 3);
  const [doneWaits, refusedWaits] = [describe(waits.done), describe(waits.refused)];
  const offer = { sent, held, donePerSecond, done: doneWaits, refused: refusedWaits };
  const [done, refused] = [waits.done.length, waits.refused.length];
  return { done, refused, seconds: job.seconds, offer };
}

const resourceExhausted = 8;

function findRoom(clients: readonly FrameClient[], turn: number): FrameClient | undefined {
  for (let i = 0; i < clients.length; i += 1) {
    const client = clients[(turn + i) % clients.length];
    if (client && client.room() > 0) return client;
  }
  return undefined;
}

/** 0 where there were none. */
const describe = (waits: readonly number[]): Waits => ({
  p50: percentile(waits, 0.5) || 0,
  p99: percentile(waits, 0.99) || 0,
});
