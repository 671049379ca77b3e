import { connect } from 'node:net';

import { readUrls } from '../support/ledger/ledger.ts';
import { countFiles, type SoakSite } from './site.ts';
import { queryUrl } from '../support/postgres/client.ts';

/** What a daemon holds, by name. */
export type Measures = Readonly<Record<string, number>>;

type Seen = {
  readonly heapBytes: number;
  readonly rssBytes: number;
  readonly resources: Readonly<Record<string, number>>;
  readonly processListeners: number;
  readonly handleListeners: number;
  readonly sessions: readonly object[];
};

/** Asks the probe in the daemon. */
export async function askProbe(path: string): Promise<Seen> {
  const chunks: Buffer[] = [];
  await new Promise<void>((resolve, reject) => {
    const socket = connect(path);
    socket.once('error', reject);
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    socket.once('end', resolve);
  });
  return JSON.parse(Buffer.concat(chunks).toString()) as Seen;
}

/** The gauges of what is open and counted, which no load shall leave behind. */
const names = [
  ...[
    'calls_in_flight',
    'public_calls_in_flight',
    'callers',
    'streams_open',
    'unauthenticated_waiting',
  ],
  ...['connections_open', 'http2_streams_open', 'unread_answer_bytes', 'health_watches'],
  ...['outbox_events', 'stalled'],
];
const gauges = new RegExp(String.raw`^(walletd_(?:${names.join('|')})(?:\{[^}]*\})?) (\S+)$`, 'gm');

async function readGauges(url: string): Promise<Measures> {
  const text = await (await fetch(url)).text();
  return Object.fromEntries(
    [...text.matchAll(gauges)].map(([, name = '', value]) => [name, Number(value)] as const),
  );
}

async function countDatabase(dataDir: string): Promise<Measures> {
  const rows = await queryUrl<{ state: string; n: number }>(
    (await readUrls(dataDir)).admin('postgres'),
    `SELECT coalesce(state, '') AS state, count(*)::int AS n FROM pg_stat_activity
     WHERE application_name LIKE 'walletd %' GROUP BY 1`,
  );
  const countOf = (isCounted: (state: string) => boolean): number =>
    rows.filter(({ state }) => isCounted(state)).reduce((sum, { n }) => sum + n, 0);
  return {
    'pg connections': countOf(() => true),
    'pg transactions open': countOf((state) => state.startsWith('idle in transaction')),
  };
}

async function countBroker({ broker, vhost }: SoakSite): Promise<Measures> {
  const lines = async (...args: string[]): Promise<string[]> =>
    (await broker.ctl(...args)).split('\n').filter((line) => /^\d/.test(line));
  return {
    'amqp connections': (await broker.ctl('list_connections', 'pid'))
      .split('\n')
      .filter((line) => line.startsWith('<')).length,
    'amqp channels': (await broker.ctl('list_channels', 'pid'))
      .split('\n')
      .filter((line) => line.startsWith('<')).length,
    'amqp messages unacknowledged': (
      await lines('list_queues', '-p', vhost, 'messages_unacknowledged')
    ).reduce((sum, line) => sum + Number(line), 0),
  };
}

/** One look at everything. */
export async function lookOnce(site: SoakSite): Promise<Record<string, number>> {
  const seen = await askProbe(site.probe);
  const files = await countFiles(site.pid);
  return {
    ...Object.fromEntries(Object.entries(seen.resources).map(([name, n]) => [`node ${name}`, n])),
    'process listeners': seen.processListeners,
    'handle listeners': seen.handleListeners,
    'open files': files['all'] ?? 0,
    sockets: files['sockets'] ?? 0,
    'heap MB after gc': seen.heapBytes / 2 ** 20,
    'resident MB': seen.rssBytes / 2 ** 20,
    ...(await readGauges(site.metricsUrl)),
    ...(await countDatabase(site.dataDir)),
  };
}

const looks = 4;
/** Kinds of resources that come and go by themselves: a statement or a file on its way. */
const passing = /^node (?:TickObject|Immediate|FSReqCallback|FSReqPromise|GetAddrInfoReqWrap)$/;

/** The least of several looks: what loops do in between passes. */
export async function measure(site: SoakSite): Promise<Measures> {
  const all: Record<string, number>[] = [];
  for (let i = 0; i < looks; i += 1) {
    all.push(await lookOnce(site));
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  const names = new Set(all.flatMap((one) => Object.keys(one)));
  const least = [...names]
    .filter((name) => !passing.test(name))
    .map((name) => [name, Math.min(...all.map((one) => one[name] ?? 0))] as const);
  return { ...Object.fromEntries(least), ...(await countBroker(site)) };
}

/** How much more of it may be there at the end. */
const allowances: readonly (readonly [RegExp, number])[] = [
  // Caches fill up to their bounds.
  [/^heap MB/, 24],
  // Node keeps memory that it has freed; what matters is the heap.
  [/^resident MB/, 160],
  // Loops wait by one timer each, or for an answer.
  [/^node Timeout$/, 2],
  // The pools of three services keep what their loops happened to need at once, for a minute.
  [/^(pg connections|node PipeWrap|open files|sockets)$/, 3],
  // Some for each of these connections.
  [/^handle listeners$/, 18],
];

export type Verdict = {
  readonly name: string;
  readonly before: number;
  readonly after: number;
  readonly allowed: number;
  readonly isMet: boolean;
};

/** Everything back at its starting value? `spare`: what may be there besides, by name. */
export function compare(before: Measures, after: Measures, spare: Measures): readonly Verdict[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  return names.map((name) => {
    const [from, to] = [before[name] ?? 0, after[name] ?? 0];
    const more = spare[name] ?? allowances.find(([pattern]) => pattern.test(name))?.[1] ?? 0;
    return { name, before: from, after: to, allowed: from + more, isMet: to <= from + more };
  });
}
