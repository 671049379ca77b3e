import { setTimeout as sleep } from 'node:timers/promises';

import type { Node, Site } from '../faults/site.ts';
import { createRandom, type Random } from '../fuzz/random.ts';
import { readUrls } from '../support/ledger/ledger.ts';
import type { Listener } from './listener.ts';
import { changeQueue, type QueueChanges } from './queue-changes.ts';
import { withClient } from '../support/postgres/client.ts';

/**
 * `daemon`, `broker`, `both`: kill -9 at a random moment. `outbox`: kill -9 of the daemon after a
 * bundle was confirmed, and before its outbox row is deleted. `lines`: kill -9 of the daemon with
 * bundles that are not acknowledged. `cut`: RabbitMQ closes all connections.
 */
const killKinds = ['daemon', 'broker', 'outbox', 'lines', 'both'] as const;
type KillKind = (typeof killKinds)[number];
type FaultKind = KillKind | 'cut';

export type FaultWindow = {
  readonly kind: FaultKind;
  readonly beganMs: number;
  readonly endedMs: number;
};

export type FaultRun = {
  readonly site: Site;
  /** The daemons that take part. */
  readonly nodes: readonly Node[];
  readonly seed: string;
  readonly kills: number;
  readonly listener: Listener;
  readonly changes: QueueChanges;
  /** Resolves once the kill with this number, from 0, is due. */
  readonly waitForKill: (n: number) => Promise<void>;
  readonly say: (line: string) => void;
};

export type FaultsDone = {
  readonly windows: readonly FaultWindow[];
  /** Entries whose events were confirmed, and sent again after a kill: `walletId seq`. */
  readonly sentAgain: readonly string[];
};

/** Kills by a schedule that follows from the seed; each kind is there before one comes again. */
export async function runKills(run: FaultRun): Promise<FaultsDone> {
  const windows: FaultWindow[] = [];
  const sentAgain: string[] = [];
  let left: KillKind[] = [];
  const record = async (kind: FaultKind, work: () => Promise<void>): Promise<void> => {
    const beganMs = performance.now();
    await work();
    windows.push({ kind, beganMs, endedMs: performance.now() });
    run.say(`${kind} (${Math.round(performance.now() - beganMs)} ms)`);
  };
  for (let n = 0; n < run.kills; n += 1) {
    const random = createRandom(run.seed, 'kills', n);
    if (left.length === 0) left = [...killKinds];
    // `both` is the last of its turn: few kills leave it out.
    const kind = left.splice(random.int(Math.max(1, left.length - 1)), 1)[0] ?? 'daemon';
    await run.waitForKill(n);
    await sleep(random.int(400));
    await record(kind, () => kill(run, random, kind, sentAgain));
    if (random.chance(50)) {
      await sleep(random.int(500));
      await record('cut', () => cut(run.site));
    }
  }
  return { windows, sentAgain };
}

async function kill(
  run: FaultRun,
  random: Random,
  kind: KillKind,
  sentAgain: string[],
): Promise<void> {
  const { site, nodes } = run;
  const node = random.pick(nodes);
  if (kind === 'broker') return restartBroker(site, random);
  if (kind === 'outbox') {
    sentAgain.push(...(await killBeforeDeletion(run)));
    await Promise.all(nodes.map((one) => startAgain(one, random)));
    return;
  }
  if (kind === 'lines') {
    await killBeforeAck(run);
    await changeQueue(site.broker.url(site.vhost), site.customers[0]?.id ?? '', run.changes);
    await Promise.all(nodes.map((one) => startAgain(one, random)));
    return;
  }
  await node.kill();
  if (kind === 'both') await restartBroker(site, random);
  await sleep(random.int(500));
  await startAgain(node, random);
}

/** Daemons that send the statement service single messages. */
const unbundled = new WeakSet<Node>();

/** Sometimes with single messages for the statement service's queue. */
async function startAgain(node: Node, random: Random): Promise<void> {
  const isOff = random.chance(25);
  if (isOff) unbundled.add(node);
  else unbundled.delete(node);
  await node.start({ STATEMENT_BUNDLES: isOff ? 'off' : 'on' });
}

async function ensureBundles(node: Node): Promise<void> {
  if (!unbundled.delete(node)) return;
  await node.stop();
  await node.start();
}

async function restartBroker({ broker }: Site, random: Random): Promise<void> {
  await broker.kill();
  await sleep(random.int(300));
  await broker.start();
}

async function cut({ broker, vhost }: Site): Promise<void> {
  await broker.ctl('close_all_connections', '--vhost', vhost, 'cut');
}

const waitMs = 15_000;

async function waitFor(isSo: () => boolean | Promise<boolean>): Promise<boolean> {
  const endsAtMs = performance.now() + waitMs;
  while (performance.now() < endsAtMs) {
    if (await isSo()) return true;
    await sleep(10);
  }
  return false;
}

/** What waits for a lock would still be done once that is free, after the end of its daemon. */
async function endWaiting({ dataDir }: Site, service: string): Promise<void> {
  const { admin } = await readUrls(dataDir);
  const text = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = $1 AND wait_event_type = 'Lock'`;
  await withClient(admin(service), (client) => client.query(text, [service]));
}

/**
 * Locks rows of the outbox, so that they can be read and sent but not deleted; kills the daemons
 * once the listener has received their events. Gives the entries of these rows.
 */
async function killBeforeDeletion({ site, nodes, listener, say }: FaultRun): Promise<string[]> {
  return withClient(site.ownerUrl, async (client) => {
    await client.query('BEGIN');
    let places: string[] = [];
    const lock = async (): Promise<boolean> => {
      // The relay sends no third round while the rows of the first one cannot be deleted.
      const text = `SELECT entry_refs FROM outbox WHERE entry_refs IS NOT NULL
        ORDER BY id LIMIT 16 FOR UPDATE`;
      const { rows } = await client.query<{ entry_refs: string }>(text);
      places = rows.flatMap(({ entry_refs: refs }) => refs.split('\n').filter((ref) => ref !== ''));
      return places.length > 0;
    };
    await waitFor(lock);
    const areSent = await waitFor(() => places.every((place) => listener.timesOf(place) > 0));
    await Promise.all(nodes.map((node) => node.kill()));
    await endWaiting(site, 'wallet');
    await client.query('ROLLBACK');
    say(`killed with ${places.length} events in the outbox that had been sent`);
    return areSent ? places : [];
  });
}

/** Lets no line be written until bundles wait for it; then kills the daemons. */
async function killBeforeAck({ site, nodes, listener, say }: FaultRun): Promise<void> {
  for (const node of nodes) await ensureBundles(node);
  const urls = await readUrls(site.dataDir);
  await withClient(urls.owner('statement'), async (client) => {
    await client.query('BEGIN');
    await client.query('LOCK TABLE statement_lines IN EXCLUSIVE MODE');
    const before = listener.heard.length;
    await waitFor(() => listener.heard.length > before + 300);
    await Promise.all(nodes.map((node) => node.kill()));
    await endWaiting(site, 'statement');
    await client.query('ROLLBACK');
    say(`killed with ${listener.heard.length - before} events without lines`);
  });
}
