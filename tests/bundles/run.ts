import { setTimeout as sleep } from 'node:timers/promises';

import { createSite, type Site } from '../faults/site.ts';
import { queueWrittenMs } from '../support/broker/rabbitmq.ts';
import { queryService } from '../support/ledger/ledger.ts';
import type { Asked } from './asked.ts';
import { runCalls, type Called } from './calls.ts';
import { runKills, type FaultsDone } from './faults.ts';
import { judge } from './judge.ts';
import { startListener, type Listener } from './listener.ts';
import type { Wallet } from '../support/ledger/wallet-model.ts';
import { countMutants } from './mutants.ts';
import { observe, type Observed } from './observed.ts';
import { listWallets, makePlan, type Step } from './plan.ts';
import { publishInOrder, type Published } from './publisher.ts';
import { createQueueChanges, type QueueChanges } from './queue-changes.ts';

export type BundleRunOptions = {
  readonly messages: number;
  readonly kills: number;
  readonly seed: string;
  /** 1, or 2: then the order of two messages of one wallet is open. */
  readonly daemons: number;
  readonly users: number;
  readonly say: (line: string) => void;
};

export type BundleRun = {
  readonly violations: readonly string[];
  readonly mutants: { readonly caught: number; readonly missed: readonly string[] };
};

/** Without any progress for so long, a run is given up. */
const stuckMs = 90_000;
const perRound = 50;
const roundMs = 40;

/**
 * Messages and calls for many wallets, while daemons and broker are killed. At the end everything
 * is started, drained, and compared with a model.
 */
export async function runBundleRun(options: BundleRunOptions): Promise<BundleRun> {
  const ended: string[] = [];
  const site = await createSite(options.users, (node, code, log) =>
    ended.push(`the ${node} daemon ended by itself, with ${String(code)}: ${log}`),
  );
  try {
    const run = await runOn(site, options);
    return { ...run, violations: [...run.violations, ...ended] };
  } finally {
    await site.dispose();
  }
}

type Work = {
  readonly steps: readonly Step[];
  readonly published: Published;
  readonly called: readonly Called[];
  readonly faults: FaultsDone;
  readonly changes: QueueChanges;
  readonly violations: string[];
};

async function runOn(site: Site, options: BundleRunOptions): Promise<BundleRun> {
  const startedAtMs = performance.now();
  const say = (line: string): void =>
    options.say(`${((performance.now() - startedAtMs) / 1_000).toFixed(1)} s: ${line}`);
  const [, second] = site.nodes;
  if (options.daemons === 1) await second.stop();
  const wallets = listWallets(site.customers.map(({ id }) => id));
  const listener = await startListener(site.broker.url(site.vhost));
  await sleep(queueWrittenMs);
  const work = await runWork(site, { ...options, say }, listener, wallets);
  say('all is sent, and every daemon runs');
  const stuck = await waitForRest(site, work, listener);
  say('all is at rest');
  await listener.stop();
  const observed = await observe(site, listener.heard);
  const asked = toAsked(work, options);
  const { violations, facts } = judge(asked, observed);
  const { caught, missed } = countMutants(asked, observed);
  say('all is compared');
  options.say(`wallets whose order was lost by a refused publish: ${asked.looseWallets.size}`);
  for (const [name, count] of Object.entries(facts)) options.say(`${name}: ${count}`);
  const coverage = listCoverage(work, listener, observed);
  for (const [name, count] of Object.entries(coverage)) options.say(`${name}: ${count}`);
  const uncovered = Object.entries(coverage).filter(([, count]) => count === 0);
  return {
    violations: [
      ...stuck,
      ...work.violations,
      ...violations,
      ...(options.kills >= 4 ? uncovered : []).map(([name]) => `not covered: ${name}`),
      ...judgeLogs(site),
    ],
    mutants: { caught, missed },
  };
}

/** Publishes, calls and kills at once: each kill is due at a place of the messages. */
async function runWork(
  site: Site,
  options: BundleRunOptions,
  listener: Listener,
  wallets: readonly Wallet[],
): Promise<Work> {
  const { seed, kills, messages, daemons, say } = options;
  const steps = makePlan({ seed, count: messages, wallets, isOrdered: daemons === 1 });
  const nodes = site.nodes.slice(0, daemons);
  const violations: string[] = [];
  const changes = createQueueChanges();
  const dueAt = (kill: number): number => Math.floor((messages * (kill + 0.5)) / (kills + 0.5));
  let begun = 0;
  let confirmed = 0;
  let isOver = false;
  const publishing = publishInOrder(site.broker.url(site.vhost), steps, {
    waitFor: async (place) => {
      if (place % perRound === 0) await sleep(roundMs);
      // What the next kill is due at is sent once the kill before it has ended.
      while (begun < kills && place > dueAt(begun) + perRound) await sleep(20);
    },
    onConfirmed: (count) => {
      confirmed = count;
    },
  });
  const calling = runCalls({
    ...{ seed, nodes, people: site.customers, isOver: () => isOver },
    wallets: wallets.filter((_wallet, n) => n % 4 === 0),
    violate: (violation) => violations.push(violation),
  });
  const faults = runKills({
    ...{ site, nodes, seed, kills, listener, changes },
    waitForKill: async (kill) => {
      begun = kill;
      while (confirmed < dueAt(kill)) await sleep(10);
      // While it is done, messages go on until the next one is due.
      begun = kill + 1;
    },
    say: (line) => say(`${confirmed} confirmed: ${line}`),
  });
  const ending = Promise.all([publishing, faults]).finally(() => {
    isOver = true;
  });
  const [[published, done], called] = await Promise.all([ending, calling]);
  return { steps, published, called, faults: done, changes, violations };
}

function toAsked(work: Work, { daemons }: BundleRunOptions): Asked {
  const { steps, published, called, faults, changes } = work;
  const loose = published.refused.flatMap(([first, last]) => steps.slice(first, last + 1));
  return {
    ...{ steps, called, windows: faults.windows, isOrdered: daemons === 1 },
    bundledPoison: changes.poison,
    looseWallets: new Set(
      loose.flatMap((step) => (step.kind === 'poison' ? [] : [step.request.wallet.id])),
    ),
  };
}

/** What the run must have met at least once. */
function listCoverage(
  { steps, faults, changes, published }: Work,
  listener: Listener,
  { refusals }: Observed,
): Readonly<Record<string, number>> {
  const count = (kind: Step['kind']): number => steps.filter((step) => step.kind === kind).length;
  const reasons = new Set(refusals.map(({ reason }) => reason));
  return {
    'messages published': steps.length,
    'of them copies': count('copy'),
    'of them poison': count('poison'),
    'reasons of refusals': reasons.size,
    'wallets with transactions': new Set(
      steps.flatMap((step) => (step.kind === 'poison' ? [] : [step.request.wallet.id])),
    ).size,
    kills: faults.windows.filter(({ kind }) => kind !== 'cut').length,
    'connections of the producer lost': published.reconnects,
    'events sent again after a kill before the deletion': faults.sentAgain.filter(
      (place) => listener.timesOf(place) > 1,
    ).length,
    'bundles taken off the queue': changes.bundles,
    'messages with the flag redelivered': changes.redelivered,
    'events sent as single messages instead': changes.split,
    'events in bundles sent twice': changes.doubled,
    'poison events in bundles': changes.poison.length,
  };
}

/** A daemon may not meet anything that it did not expect. */
function judgeLogs({ nodes }: Site): string[] {
  const isBad = /"level":"(error|fatal)"|unexpected error|[Uu]ncaught|Unhandled/;
  return nodes.flatMap((node) =>
    node
      .log()
      .split('\n')
      .filter((line) => isBad.test(line))
      .map((line) => `log of the ${node.name} daemon: ${line}`),
  );
}

const countRows = async (site: Site, service: string, from: string): Promise<number> => {
  const text = `SELECT count(*)::int AS count FROM ${from}`;
  return (await queryService<{ count: number }>(site.dataDir, service, text))[0]?.count ?? 0;
};

/** Nothing waits in a queue or an outbox, and nothing changes any more. */
async function waitForRest(
  site: Site,
  { steps, changes }: Work,
  { heard }: Listener,
): Promise<string[]> {
  const poison = steps.filter(({ kind }) => kind === 'poison').length + changes.poison.length;
  let movedAtMs = performance.now();
  let last = '';
  let calm = 0;
  while (performance.now() - movedAtMs < stuckMs) {
    const args = ['list_queues', '-p', site.vhost, 'messages', '--no-table-headers'];
    const listed = await site.broker.ctl(...args);
    const queued = listed.split('\n').reduce((sum, line) => sum + (Number(line) || 0), 0);
    const outbox = await countRows(site, 'wallet', 'outbox');
    const entries = await countRows(site, 'wallet', 'transactions');
    const lines = await countRows(site, 'statement', 'statement_lines');
    const letters =
      (await countRows(site, 'wallet', 'dead_letters')) +
      (await countRows(site, 'statement', 'dead_letters'));
    const state = [queued, outbox, entries, lines, letters, heard.length].join();
    if (state !== last) movedAtMs = performance.now();
    const isThere = queued + outbox === 0 && lines >= entries && letters >= poison;
    calm = isThere && state === last ? calm + 1 : 0;
    last = state;
    if (calm >= 2) return [];
    // A queue's depth is a few seconds old.
    await sleep(1_000);
  }
  return [`stuck: queued, outbox, entries, lines, dead letters, heard are ${last}`];
}
