import {
  findMetadataProblem,
  metadataLimits,
  referenceKey,
} from '../../../../core/json/metadata.ts';
import { findTextProblem } from '../../../../core/text.ts';
import {
  isPairColumn,
  keyOfPair,
  type BatchColumn,
  type Cells,
  type PairColumn,
} from './raw-row.ts';

export type Metadata = Readonly<Record<string, string>>;

type ReadPairs =
  | { readonly ok: true; readonly metadata: Metadata }
  | { readonly ok: false; readonly field: BatchColumn; readonly message: string };

const none: ReadPairs = { ok: true, metadata: {} };

/** The metadata of a row: the object in its column metadata, and the columns `meta.KEY`. */
export function readPairs(cells: Cells): ReadPairs {
  const columns = pairColumnsOf(cells);
  const { metadata: text, reference } = cells;
  if (text === undefined && columns.length === 0) return checkReference(none, reference);
  const object = text === undefined ? none : readObject(text);
  if (!object.ok) return object;
  const pairs = new Map(Object.entries(object.metadata));
  const doubled = columns.find((column) => pairs.has(keyOfPair(column)));
  if (doubled !== undefined) {
    return bad(doubled, 'must be empty: the column metadata has the same key');
  }
  for (const column of columns) pairs.set(keyOfPair(column), cells[column] ?? '');
  const metadata = Object.fromEntries(pairs);
  const found = findMetadataProblem(metadata);
  if (!found) return checkReference({ ok: true, metadata }, reference);
  const column = columns.find((one) => keyOfPair(one) === found.key);
  return bad(column ?? 'metadata', found.problem);
}

const noColumns: readonly PairColumn[] = [];

/** Most rows have none. */
function pairColumnsOf(cells: Cells): readonly PairColumn[] {
  let columns = noColumns;
  for (const column in cells) if (isPairColumn(column)) columns = [...columns, column];
  return columns;
}

const bad = (field: BatchColumn, message: string): ReadPairs => ({ ok: false, field, message });

const notObject = 'is not a JSON object of texts, like {"order":"1042"}';

function readObject(text: string): ReadPairs {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return bad('metadata', notObject);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return bad('metadata', notObject);
  }
  const entries = Object.entries(value);
  const wrong = entries.find(([, one]) => typeof one !== 'string');
  if (wrong)
    return bad('metadata', `has a value of ${JSON.stringify(wrong[0])} that is not a text`);
  return { ok: true, metadata: Object.fromEntries(entries as [string, string][]) };
}

/** The reference is a pair of the metadata too: both have to say the same. */
function checkReference(read: ReadPairs, reference: string | undefined): ReadPairs {
  if (!read.ok || reference === undefined) return read;
  const problem = findTextProblem(reference, metadataLimits.value);
  if (problem !== undefined) return bad('reference', problem);
  const known = read.metadata[referenceKey];
  if (known === undefined || known === reference) return read;
  const pair: PairColumn = `meta.${referenceKey}`;
  return bad('reference', `differs from the one in metadata or ${pair}: give it once`);
}
