import type { Readable } from 'node:stream';

import { leafOf, parseCheckpoint, type Checkpoint } from '../../../core/checkpoint.ts';
import { isUuid } from '../../../core/ids.ts';
import { createMerkleTree } from '../../../core/merkle.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type { Leaf } from './store.ts';

/** An exported checkpoint: what was signed, and its leaves, which are read once. */
export type ExportedCheckpoint = {
  readonly checkpoint: Checkpoint;
  readonly text: string;
  readonly signature: string;
  /**
   * The leaves in pages. Throws an `ExportFault` for a line that is none, or at the end if they do
   * not have the size and the root that were signed.
   */
  readonly leaves: AsyncIterable<readonly Leaf[]>;
};

/** Of a file that is no export of a checkpoint, or was changed. */
type ExportFault = Error & { readonly isExportFault: true };
export const isExportFault = (err: unknown): err is ExportFault =>
  err instanceof Error && 'isExportFault' in err;
const exportFault = (message: string): ExportFault =>
  Object.assign(new Error(message), { isExportFault: true as const });

const textLines = 9;
const maxLineLength = 200;
const leavesPerPage = 1_000;

/** Reads the head of an export (docs/verification.md); its lines are taken from the stream. */
export async function readExport(input: Readable): Promise<Result<ExportedCheckpoint>> {
  const lines = splitLines(input);
  const head: string[] = [];
  while (head.length < textLines + 2) {
    const read = await lines.next();
    if (read.done === true || read.value.length > maxLineLength) return noExport;
    head.push(read.value);
  }
  const text = head
    .slice(0, textLines)
    .map((line) => `${line}\n`)
    .join('');
  const checkpoint = parseCheckpoint(text);
  const signature = /^signature ([A-Za-z0-9+/]{86}==)$/.exec(head[textLines] ?? '')?.[1];
  if (!checkpoint || signature === undefined || head[textLines + 1] !== '') return noExport;
  return succeed({ checkpoint, text, signature, leaves: readLeaves(checkpoint, lines) });
}

/** Reads as much as a line may have: of a longer one, its beginning is the last line given. */
async function* splitLines(input: Readable): AsyncGenerator<string, undefined> {
  let rest = '';
  for await (const chunk of input) {
    const lines = (rest + String(chunk)).split('\n');
    rest = lines.pop() ?? '';
    yield* lines;
    if (rest.length > maxLineLength) break;
  }
  if (rest !== '') yield rest;
  return undefined;
}

const noExport = refuse(
  'INVALID_ARGUMENT',
  'the file is no exported checkpoint: make one with `walletd checkpoint export`',
  { field: 'against' },
);

async function* readLeaves(
  checkpoint: Checkpoint,
  lines: AsyncIterator<string>,
): AsyncGenerator<readonly Leaf[]> {
  const tree = createMerkleTree();
  let page: Leaf[] = [];
  let size = 0n;
  let lastId = '';
  for (let read = await lines.next(); !read.done; read = await lines.next()) {
    const leaf = parseLeaf(read.value);
    if (!leaf || leaf.walletId <= lastId) throw exportFault(`leaf ${size + 1n} cannot be read`);
    lastId = leaf.walletId;
    size += 1n;
    tree.add(leafOf(leaf.walletId, leaf.seq, leaf.hash));
    page.push(leaf);
    if (page.length < leavesPerPage) continue;
    yield page;
    page = [];
  }
  if (page.length > 0) yield page;
  if (size !== checkpoint.size) {
    throw exportFault(`the file has ${size} leaves, and ${checkpoint.size} were signed`);
  }
  if (tree.root().toString('hex') !== checkpoint.root) {
    throw exportFault('the leaves do not have the root that was signed: the file was changed');
  }
}

function parseLeaf(line: string): Leaf | undefined {
  const match = /^(\S{36}) (0|[1-9]\d{0,18}) ([0-9a-f]{64})$/.exec(line);
  const [, walletId = '', seq = '', hash = ''] = match ?? [];
  return isUuid(walletId) && BigInt(seq) < 2n ** 63n
    ? { walletId, seq: BigInt(seq), hash }
    : undefined;
}
