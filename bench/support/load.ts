import type { Job, Load } from './jobs.ts';
import { prepareOffer, runOffer } from './load-offer.ts';
import { prepareStream, runStream } from './load-stream.ts';
import { prepareBatches, prepareUnary, runBatches, runUnary } from './load-unary.ts';

// A generator: a process of its own, so that its work is not the product's, nor the benchmark's.
// Gets its job as argument, says `ready` once all bodies are encoded, begins at `go`.

const job = JSON.parse(process.argv[2] ?? '') as Job;
const kinds = {
  stream: [prepareStream, runStream],
  fund: [prepareStream, runStream],
  unary: [prepareUnary, runUnary],
  batch: [prepareBatches, runBatches],
  offer: [prepareOffer, runOffer],
} as const;
const [prepare, work] = kinds[job.kind];
const bodies = prepare(job);

process.once('message', () => {
  const before = process.cpuUsage();
  work(job, bodies).then(
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
