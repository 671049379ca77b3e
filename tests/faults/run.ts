import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { walletIdOf } from '../../core/ids.ts';
import { readFinalRows } from '../support/ledger/final-rows.ts';
import { createBook, currency } from './book.ts';
import { formatChecks, listChecks, type Check } from './checks.ts';
import { checkAll } from './checkers/check-all.ts';
import { formatViolation } from './checkers/violation.ts';
import { evaluate } from './evaluate.ts';
import { buildWithFailpoints } from './failpoints/build.ts';
import { runFaults } from './kinds/index.ts';
import { createLatencies } from './latencies.ts';
import { runBatches } from './load/batches.ts';
import { fund, runCustomer, runOperator } from './load/calls.ts';
import { createCommandLine } from './load/command-line.ts';
import { runCrowds } from './load/crowds.ts';
import { runGroups } from './load/groups.ts';
import { runHttpClient } from './load/http.ts';
import { setLimits } from './load/limits.ts';
import { startListener } from './load/listener.ts';
import { createTally, listPartners, neverLocked, type Load } from './load/load.ts';
import { createMessages } from './load/messages.ts';
import { createProber } from './load/prober.ts';
import { createReaders } from './load/readers.ts';
import { runStream } from './load/streams.ts';
import { describeRun } from './describe.ts';
import { watchProgress } from './record/progress.ts';
import { createRunRecord } from './record/record.ts';
import { createReport, type Report } from './report.ts';
import type { PlannedFault, Timing } from './schedule/schedule.ts';
import { createFaultSite, type FaultSite } from './site/fault-site.ts';
import { watchMachine } from './site/machine.ts';
import { createTimeline } from './timeline.ts';

export type FaultRunOptions = {
  readonly seed: string;
  readonly faults: readonly PlannedFault[];
  readonly timing: Timing;
  readonly daemons: number;
  /** The load lasts until all three are reached; the faults too, as far as there are any. */
  readonly atLeast: {
    readonly seconds: number;
    readonly operations: number;
    readonly faults: number;
  };
  readonly intensity: number;
  /** Whether p99 beside a locked wallet is judged: it depends on the machine. */
  readonly judgesLatency: boolean;
  /** Where the logs of the daemons go; undefined: nowhere. */
  readonly logFolder?: string | undefined;
  readonly say: (line: string) => void;
};

const customerCount = 14;
/** The others leave their wallets alone for longer. */
const fast = 8;
/** Of the last two customers: their wallets are for these clients. */
const [proberAt, commandLineAt] = [customerCount - 1, customerCount - 2];
const hopelessMs = 90_000;
const wait = (ms: number): Promise<void> => sleep(ms);

export type FaultRun = { readonly report: Report; readonly checks: readonly Check[] };

/** Daemons under load and faults; at the end all is repaired, drained and looked at. */
export async function runFaultRun(options: FaultRunOptions): Promise<FaultRun> {
  const record = createRunRecord(undefined, ['log']);
  const timeline = createTimeline(options.say, record);
  const report = createReport(timeline, options.say);
  const site = await createFaultSite({
    customers: customerCount,
    daemons: options.daemons,
    onEnd: (node, code, log) =>
      report.violate('daemon', `the ${node} one ended with ${String(code)}`, log),
  });
  const { seed, timing, intensity } = options;
  const book = createBook(report, timeline);
  const shared = { record, timeline, report, site, book };
  const tally = createTally();
  const ends = createEnd(options, () => ({ operations: book.all.size, faults: tally.faults }));
  const load: Load = {
    ...shared,
    ...{ seed, timing, intensity, tally },
    latencies: createLatencies(),
    isOver: ends.isOver,
    isHopeless: ends.isHopeless,
  };
  try {
    return { report, checks: await runOn(load, options, ends.begin) };
  } finally {
    for (const node of options.logFolder === undefined ? [] : site.nodes) {
      await writeFile(join(options.logFolder ?? '', `${node.name}.log`), node.log());
    }
    await site.dispose();
  }
}

/** When the load is over: once so many seconds, operations and faults are reached. */
function createEnd(
  { atLeast }: FaultRunOptions,
  count: () => { readonly operations: number; readonly faults: number },
) {
  let beganAtMs: number | undefined;
  let overAtMs: number | undefined;
  const isOver = (): boolean => {
    if (overAtMs !== undefined) return true;
    if (beganAtMs === undefined) return false;
    const { operations, faults } = count();
    const isReached =
      performance.now() >= beganAtMs + atLeast.seconds * 1_000 &&
      operations >= atLeast.operations &&
      faults >= atLeast.faults;
    if (isReached) overAtMs = performance.now();
    return isReached;
  };
  return {
    begin: () => void (beganAtMs = performance.now()),
    isOver,
    isHopeless: () => isOver() && performance.now() >= (overAtMs ?? 0) + hopelessMs,
  };
}

async function runOn(
  load: Load,
  options: FaultRunOptions,
  begin: () => void,
): Promise<readonly Check[]> {
  const { site, timeline, report } = load;
  const { say } = options;
  timeline.couple(listPartners(site).map(({ id }) => walletIdOf(id, currency)));
  const listener = await startListener(load);
  const people = site.customers;
  // Without one: some operations meet an empty wallet.
  for (const person of people.filter((_person, i) => i !== commandLineAt - 1)) {
    await fund(load, person, 1_000_000n);
  }
  for (const person of people.slice(6, 8)) await setLimits(load, person);
  const messages = createMessages(load);
  const readers = createReaders(load);
  const prober = createProber(load, personAt(site, proberAt));
  const commandLine = await createCommandLine(load, commandLineAt, personAt(site, commandLineAt));
  const machine = watchMachine(site, timeline);
  const progress = watchProgress(site, load.record);
  const beganAtMs = performance.now();
  begin();
  say(`${timeline.secondsOf(beganAtMs)} s: the load begins`);
  const clients = Promise.all([
    ...runCallers(load),
    ...[messages, readers, prober, commandLine].map((client) => client.run()),
  ]);
  const lockable = people.slice(neverLocked, commandLineAt);
  const shared = { listener, lockable, buildWithFailpoints: once(buildWithFailpoints) };
  // Neither outlives the other's failure unseen.
  await Promise.all([clients, runFaults(load, { faults: options.faults, ...shared })]).finally(
    machine.stop,
  );
  const endedAtMs = performance.now();
  say(`${timeline.secondsOf(endedAtMs)} s: all faults and the load have ended`);
  await wait(1_000);
  await messages.end();
  const { facts, outboxRows } = await evaluate(load, messages, listener);
  await readers.rereadAll();
  await listener.stop();
  await progress.stop();
  for (const violation of checkAll(load.record.history(), await readFinalRows(site.dataDir))) {
    report.violate(violation.checker, formatViolation(violation));
  }
  const besideLocks = options.judgesLatency ? load.latencies.evaluate(report) : [];
  load.latencies.print(say);
  const seconds = (endedAtMs - beganAtMs) / 1_000;
  describeRun(load, { seconds, facts: [...facts, machine.describe()], readers, prober }, say);
  for (const [kind, count] of report.counts) say(`violations of ${kind}: ${count}`);
  const checks = listChecks({ counts: report.counts, outboxRows, latencies: besideLocks });
  formatChecks(checks).forEach(say);
  return checks;
}

function personAt(site: FaultSite, i: number) {
  const person = site.customers[i];
  if (!person) throw new Error('too few customers');
  return person;
}

/** Clients over gRPC and HTTP: customers, an operator's calls, batches and streams. */
function runCallers(load: Load): readonly Promise<void>[] {
  const people = load.site.customers.slice(0, commandLineAt);
  const apart = people.slice(0, neverLocked);
  return [
    ...people.map((person, i) =>
      runCustomer(load, person, `customer ${i}`, i < fast ? [200, 500] : [800, 2_500]),
    ),
    ...people.slice(2, 5).map((person, i) => runHttpClient(load, person, `http ${i}`)),
    runOperator(load),
    runBatches(load),
    runGroups(load),
    runCrowds(load),
    runStream(load, { name: 'stream', of: 'streams', people: apart }),
    runStream(load, { name: 'mixed stream', of: 'mixed stream', people: people.slice(2) }),
  ];
}

/** Does the work when it is first needed, and only then. */
function once<T>(work: () => Promise<T>): () => Promise<T> {
  let done: Promise<T> | undefined;
  return () => (done ??= work());
}
