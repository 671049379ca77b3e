import type { Job, Load } from './jobs.ts';
import { prepareHttp, prepareHttpBatches, runHttp, runHttpBatches } from './load-http.ts';
import { prepareOffer, runOffer } from './load-offer.ts';
import { prepareStream, prepareStreams, runStream, runStreams } from './load-stream.ts';
import { prepareBatches, prepareUnary, runBatches, runUnary } from './load-unary.ts';

// A generator: a process of its own, so that its work is not the product's, nor the benchmark's.
// Gets its job as argument, says `ready` once all bodies are encoded, begins at `go`.

const job = JSON.parse(process.argv[2] ?? '') as Job;
type Work = () => Promise<Omit<Load, 'cpuShare'>>;
/** Makes all bodies at once, and gives what sends them. */
const prepare =
  <Body>(
    toBodies: (job: Job) => Body[],
    send: (job: Job, bodies: readonly Body[]) => ReturnType<Work>,
  ) =>
  (): Work => {
    const bodies = toBodies(job);
    return () => send(job, bodies);
  };
const kinds: Readonly<Record<Job['kind'], () => Work>> = {
  stream: prepare(prepareStream, runStream),
  streams: prepare(prepareStreams, runStreams),
  transfers: prepare(prepareStream, runStream),
  fund: prepare(prepareStream, runStream),
  unary: prepare(prepareUnary, runUnary),
  batch: prepare(prepareBatches, runBatches),
  offer: prepare(prepareOffer, runOffer),
  http: prepare(prepareHttp, runHttp),
  'http-batch': prepare(prepareHttpBatches, runHttpBatches),
  'http-ndjson': prepare(prepareHttpBatches, runHttpBatches),
};
const work = kinds[job.kind]();

process.once('message', () => {
  const before = process.cpuUsage();
  work().then(
    (result) => {
      const { user, system } = process.cpuUsage(before);
      const cpuShare = (user + system) / 1e6 / result.seconds;
      const load: Load = { ...result, cpuShare };
      process.send?.(load, () => process.exit(0));
    },
    (err: unknown) => {
      console.error(err);
      process.exit(1);
    },
  );
});
process.send?.('ready');
