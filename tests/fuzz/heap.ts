import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Daemon } from '../../scripts/product.ts';
import type { Report } from './report.ts';
import { countDescriptors } from './watch.ts';

const signal = 'SIGUSR2';
const takesMs = 120_000;

/** What the daemon needs in its environment, so that it can be asked for what lives in its heap. */
export const heapEnv = (folder: string) => ({
  NODE_OPTIONS: `--heapsnapshot-signal=${signal} --diagnostic-dir=${folder}`,
});

/**
 * Whether more sessions of HTTP/2 are held than there can be connections. A snapshot of the heap is
 * taken once all that can be let go of is gone. It takes memory by itself, so it comes last.
 */
export async function judgeHeap(report: Report, daemon: Daemon, folder: string): Promise<string> {
  const connections = countDescriptors(daemon.pid);
  daemon.kill(signal);
  const snapshot = await readSnapshot(folder);
  const { count, bytes } = survey(snapshot, 'ServerHttp2Session');
  if (count > connections) report.violate('heap', undefined, 'sessions kept');
  return `heap: ${Math.round(bytes / 1024 / 1024)} MB alive; ${count} sessions of HTTP/2, ${connections} descriptors`;
}

type Snapshot = {
  readonly snapshot: { readonly meta: { readonly node_fields: readonly string[] } };
  readonly nodes: readonly number[];
  readonly strings: readonly string[];
};

/** Waits until the snapshot is there as a whole: before its end it is no JSON. */
async function readSnapshot(folder: string): Promise<Snapshot> {
  const endsAt = Date.now() + takesMs;
  for (;;) {
    const names = await readdir(folder);
    const name = names.find((each) => each.endsWith('.heapsnapshot'));
    const text = name === undefined ? '' : await readFile(join(folder, name), 'utf8');
    try {
      return JSON.parse(text) as Snapshot;
    } catch (err) {
      if (Date.now() > endsAt) throw err;
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

/** How many objects have this name, and how many bytes all have together. */
function survey({ snapshot, nodes, strings }: Snapshot, wanted: string) {
  const fields = snapshot.meta.node_fields;
  const [nameAt, sizeAt] = [fields.indexOf('name'), fields.indexOf('self_size')];
  let count = 0;
  let bytes = 0;
  for (let at = 0; at < nodes.length; at += fields.length) {
    bytes += nodes[at + sizeAt] ?? 0;
    if (strings[nodes[at + nameAt] ?? -1] === wanted) count += 1;
  }
  return { count, bytes };
}
