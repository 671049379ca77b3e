import { setTimeout as sleep } from 'node:timers/promises';

import { createBook } from './book.ts';
import { fund, runCustomer, runOperator } from './calls.ts';
import { formatChecks, listChecks, type Check } from './checks.ts';
import { runFaults } from './faults.ts';
import { evaluate } from './evaluate.ts';
import { createLatencies } from './latencies.ts';
import { startListener } from './listener.ts';
import type { Load, Timing } from './load.ts';
import { watchMachine } from './machine.ts';
import { createMessages } from './messages.ts';
import { createReaders } from './readers.ts';
import { createReport, type Report } from './report.ts';
import { createSite, type Site } from './site.ts';
import { runStream } from './streams.ts';
import { createTimeline, type FaultKind, type Timeline } from './timeline.ts';

export type FaultRunOptions = {
  readonly seed: string;
  readonly seconds: number;
  readonly kinds: readonly FaultKind[];
  readonly timing: Timing;
  readonly say: (line: string) => void;
};

export const longTiming: Timing = {
  lockMs: 30_000,
  stopMs: [5_000, 15_000],
  mixMs: 10_000,
  quietMs: [5_000, 9_000],
  lateMs: [10_000, 60_000],
  rereadMs: [1_000, 8_000],
};

export const shortTiming: Timing = {
  lockMs: 6_000,
  stopMs: [1_500, 3_000],
  mixMs: 4_000,
  quietMs: [1_000, 2_000],
  lateMs: [3_000, 8_000],
  rereadMs: [500, 4_000],
};

const customerCount = 12;
/** The first ones' wallets are never locked: one stream carries these only. */
const neverLocked = 4;
/** The others leave their wallets alone for longer. */
const fast = 8;
const hopelessMs = 90_000;
const wait = (ms: number): Promise<void> => sleep(ms);

export type FaultRun = { readonly report: Report; readonly checks: readonly Check[] };

/** Two daemons under load and faults; at the end all is repaired, drained and looked at. */
export async function runFaultRun(options: FaultRunOptions): Promise<FaultRun> {
  const timeline = createTimeline(options.say);
  const report = createReport(timeline, options.say);
  const site = await createSite(customerCount, (node, code, log) =>
    report.violate('daemon', `the ${node} one ended with ${String(code)}`, log),
  );
  try {
    return { report, checks: await runOn(site, timeline, report, options) };
  } finally {
    await site.dispose();
  }
}

async function runOn(
  site: Site,
  timeline: Timeline,
  report: Report,
  { seed, seconds, kinds, timing, say }: FaultRunOptions,
): Promise<readonly Check[]> {
  let endsAtMs = Infinity;
  const latencies = createLatencies();
  const load: Load = {
    ...{ seed, site, timeline, report, latencies, timing },
    book: createBook(report, timeline),
    isOver: () => performance.now() >= endsAtMs,
    isHopeless: () => performance.now() >= endsAtMs + hopelessMs,
  };
  const listener = await startListener(load);
  // Without the last one: some operations meet an empty wallet.
  for (const person of site.customers.slice(0, -1)) await fund(load, person, 1_000_000n);
  const messages = createMessages(load);
  const readers = createReaders(load);
  const apart = site.customers.slice(0, neverLocked);
  const lockable = site.customers.slice(neverLocked);

  const machine = await watchMachine(site, timeline);
  const startedAtMs = performance.now();
  endsAtMs = startedAtMs + seconds * 1_000;
  say(`${timeline.secondsOf(startedAtMs)} s: the load begins`);
  const clients = Promise.all([
    ...site.customers.map((person, i) =>
      runCustomer(load, person, `customer ${i}`, i < fast ? [200, 500] : [800, 2_500]),
    ),
    runOperator(load),
    runStream(load, { name: 'stream', of: 'streams', people: apart }),
    runStream(load, { name: 'mixed stream', of: 'mixed stream', people: site.customers.slice(2) }),
    messages.run(),
    readers.run(),
  ]);
  // Neither outlives the other's failure unseen.
  await Promise.all([clients, runFaults(load, { kinds, lockable })]).finally(machine.stop);
  say(`${timeline.secondsOf(performance.now())} s: all faults and the load have ended`);

  await site.clock.set(0);
  await wait(1_000);
  const { facts, outboxRows } = await evaluate(load, messages, listener);
  await readers.rereadAll();
  await listener.stop();
  const besideLocks = kinds.includes('locks') ? latencies.evaluate(report) : [];
  latencies.print(say);
  const rate = load.book.all.size / seconds;
  say(`${load.book.all.size} operations, ${rate.toFixed(0)} a second`);
  for (const fact of [...facts, machine.describe()]) say(fact);
  say(
    `reports: ${readers.balances} balances and ${readers.statements} complete statements, ` +
      `looked at again ${readers.rereads} times`,
  );
  say(`faults: ${kinds.map((kind) => `${kind} ${timeline.count(kind)}`).join(', ')}`);
  for (const [kind, count] of report.counts) say(`violations of ${kind}: ${count}`);
  const checks = listChecks({ counts: report.counts, outboxRows, latencies: besideLocks });
  formatChecks(checks).forEach(say);
  return checks;
}
