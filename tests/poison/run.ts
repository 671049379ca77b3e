import { setTimeout as sleep } from 'node:timers/promises';

import { createSite, type Site } from '../faults/site.ts';
import { findFaults, queryService } from '../support/ledger/ledger.ts';
import { evaluate } from './evaluate.ts';
import { sendAll, type Sent } from './send.ts';

export type PoisonRunOptions = {
  readonly messages: number;
  readonly restarts: number;
  readonly seed: string;
  readonly say: (line: string) => void;
};

const customerCount = 8;
/** Without any progress for so long, a run is given up. */
const stuckMs = 90_000;

/**
 * Two daemons work on messages of which 1 % are bad, and are restarted meanwhile: both at once or
 * one after the other, in good order or by kill -9. Then all that was sent is looked for. The
 * violations.
 */
export async function runPoisonRun(options: PoisonRunOptions): Promise<readonly string[]> {
  const ended: string[] = [];
  const site = await createSite(customerCount, (node, code) =>
    ended.push(`the ${node} daemon ended by itself, with ${String(code)}`),
  );
  try {
    return [...(await runOn(site, options)), ...ended];
  } finally {
    await site.dispose();
  }
}

async function runOn(
  site: Site,
  { messages, restarts, seed, say }: PoisonRunOptions,
): Promise<readonly string[]> {
  const startedAtMs = performance.now();
  const tell = (line: string): void =>
    say(`${((performance.now() - startedAtMs) / 1_000).toFixed(1)} s: ${line}`);
  const restarting = restartAll(site, messages, restarts, tell);
  const sending = sendAll(site.broker.url(site.vhost), {
    ...{ count: messages, seed, userIds: site.customers.map(({ id }) => id) },
    onRound: (count) => {
      if (count % 10_000 === 0) tell(`${count} sent`);
    },
  });
  const [sent, done] = await Promise.all([sending, restarting]);
  tell(`all is sent, ${sent.duplicates} good ones twice; ${done} restarts`);
  const stuck = await waitForRest(site, sent);
  tell('all is at rest');
  const { table, violations } = await evaluate(site, sent);
  for (const line of table) say(line);
  say(`good: ${sent.good.size}; bad: ${sent.bad.length}`);
  const missed = done < restarts ? [`only ${done} of ${restarts} restarts were made`] : [];
  return [...stuck, ...missed, ...violations, ...(await findFaults(site.dataDir))];
}

const count = async (site: Site, service: string, from: string): Promise<number> => {
  const text = `SELECT count(*)::int AS count FROM ${from}`;
  return (await queryService<{ count: number }>(site.dataDir, service, text))[0]?.count ?? 0;
};

/** One each time that a further part of the messages has become transactions. */
async function restartAll(
  site: Site,
  messages: number,
  restarts: number,
  tell: (line: string) => void,
): Promise<number> {
  let movedAtMs = performance.now();
  let last = -1;
  let done = 0;
  while (done < restarts && performance.now() - movedAtMs < stuckMs) {
    const entries = await count(site, 'wallet', 'transactions');
    if (entries !== last) movedAtMs = performance.now();
    last = entries;
    if (entries < (messages * 0.9 * (done + 1)) / (restarts + 1)) {
      await sleep(50);
      continue;
    }
    const how = done % 2 === 0 ? 'kill' : 'stop';
    const isBoth = done % 4 < 2;
    const nodes = isBoth ? site.nodes : [site.nodes[(done >> 2) % 2] ?? site.nodes[0]];
    tell(`${how} of ${nodes.map(({ name }) => name).join(' and ')} at ${entries} transactions`);
    await Promise.all(nodes.map((node) => node[how]()));
    await Promise.all(nodes.map((node) => node.start()));
    done += 1;
  }
  return done;
}

/** Nothing waits in a queue or an outbox, and nothing changes any more. */
async function waitForRest(site: Site, sent: Sent): Promise<string[]> {
  let movedAtMs = performance.now();
  let last = '';
  let calm = 0;
  while (performance.now() - movedAtMs < stuckMs) {
    const args = ['list_queues', '-p', site.vhost, 'messages', '--no-table-headers'];
    const listed = await site.broker.ctl(...args);
    const queued = listed.split('\n').reduce((sum, line) => sum + (Number(line) || 0), 0);
    const state = [
      queued,
      await count(site, 'wallet', 'outbox'),
      await count(site, 'wallet', 'transactions'),
      await count(site, 'statement', 'statement_lines'),
      (await count(site, 'wallet', 'dead_letters')) +
        (await count(site, 'statement', 'dead_letters')),
    ];
    const [, outbox = 0, entries = 0, lines = 0, letters = 0] = state;
    if (state.join() !== last) movedAtMs = performance.now();
    const isThere = entries >= sent.good.size && lines >= entries && letters >= sent.bad.length;
    calm = queued + outbox === 0 && (isThere || state.join() === last) ? calm + 1 : 0;
    last = state.join();
    // A queue's depth is a few seconds old.
    if (calm >= 3 && (isThere || calm >= 15)) return [];
    await sleep(1_000);
  }
  return [`stuck: queued, outbox, transactions, lines, dead letters are ${last}`];
}
