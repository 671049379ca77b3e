import { Operation } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connectHttp, type HttpConnection } from './http-connection.ts';
import { maxRate, type Job } from './jobs.ts';
import { itemOf } from './load-stream.ts';

/** Requests of one transaction at any time, each on a connection of its own. */
const singleConnections = 64;
/** Requests of a batch at any time: as many as `stream` has messages under way. */
const batchConnections = 6;
const batchSize = 1_000;
const made = Buffer.from('"status":201');

/** Requests for one transaction each, without what all of them begin with. */
export const prepareHttp = (job: Job): string[] =>
  Array.from({ length: Math.ceil((maxRate / 2) * job.seconds) }, (_, n) => {
    const { idempotencyKey, ...item } = jsonOf(job, n);
    const body = JSON.stringify(item);
    return `idempotency-key: "${idempotencyKey}"\r\n${withLength(body)}`;
  });

/** Requests for a batch each, as JSON or as NDJSON. */
export const prepareHttpBatches = (job: Job): string[] =>
  Array.from({ length: Math.ceil((maxRate * job.seconds) / batchSize) }, (_, n) => {
    const items = Array.from({ length: batchSize }, (_item, i) => jsonOf(job, n * batchSize + i));
    return withLength(
      job.kind === 'http-ndjson'
        ? items.map((item) => `${JSON.stringify(item)}\n`).join('')
        : JSON.stringify({ items }),
    );
  });

const withLength = (body: string): string => `content-length: ${body.length}\r\n\r\n${body}`;

function jsonOf(job: Job, n: number) {
  const { userId, operation, amountMinor = 0n, idempotencyKey } = itemOf(job, n);
  return {
    operation: operation === Operation.DEPOSIT ? 'deposit' : 'withdraw',
    user: userId,
    amount: `${amountMinor / 100n}.${String(amountMinor % 100n).padStart(2, '0')}`,
    idempotencyKey,
  };
}

type Counted = { done: number; refused: number };
type Count = (status: number, body: Buffer) => Counted;

/** What was replayed is answered with 200: it was not done now. */
const countOne: Count = (status) =>
  status === 201 ? { done: 1, refused: 0 } : { done: 0, refused: 1 };

const countBatch: Count = (status, body) => {
  let done = 0;
  if (status === 200) for (let at = 0; (at = body.indexOf(made, at)) >= 0; at += 1) done += 1;
  return { done, refused: batchSize - done };
};

export const runHttp = (job: Job, requests: readonly string[]) =>
  run(job, requests, {
    start: startOf(job, '/v1/transactions', 'application/json'),
    connections: singleConnections,
    count: countOne,
  });

export const runHttpBatches = (job: Job, requests: readonly string[]) =>
  run(job, requests, {
    start: startOf(
      job,
      '/v1/transactions/batch',
      job.kind === 'http-ndjson' ? 'application/x-ndjson' : 'application/json',
    ),
    connections: batchConnections,
    count: countBatch,
  });

const startOf = (job: Job, path: string, type: string): string =>
  [
    `POST ${path} HTTP/1.1`,
    `host: ${job.address}`,
    `authorization: Bearer ${job.token}`,
    `content-type: ${type}`,
    `accept: ${type}`,
    '',
  ].join('\r\n');

/** One request on each connection at any time; each that is answered is followed by the next. */
async function run(
  job: Job,
  requests: readonly string[],
  route: { readonly start: string; readonly connections: number; readonly count: Count },
): Promise<Counted & { seconds: number }> {
  let fail: (err: Error) => void = () => undefined;
  const failed = new Promise<never>((_resolve, reject) => (fail = reject));
  const all = Array.from({ length: route.connections }, () => connectHttp(job.address, fail));
  const connections = await Promise.all(all);
  const total = { done: 0, refused: 0 };
  const startedAt = performance.now();
  const endsAt = startedAt + job.seconds * 1_000;
  let next = 0;
  let open = 0;
  const ended = new Promise<void>((resolve) => {
    const send = (connection: HttpConnection): void => {
      const request = requests[next];
      if (request === undefined || performance.now() >= endsAt) {
        if (open === 0) resolve();
        return;
      }
      next += 1;
      open += 1;
      connection.send(route.start + request, (status, body) => {
        open -= 1;
        const { done, refused } = route.count(status, body);
        total.done += done;
        total.refused += refused;
        send(connection);
      });
    };
    connections.forEach(send);
  });
  await Promise.race([ended, failed]);
  const seconds = (performance.now() - startedAt) / 1_000;
  for (const connection of connections) connection.close();
  return { ...total, seconds };
}
