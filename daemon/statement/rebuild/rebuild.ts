import { isUuid } from '../../../core/ids.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type { Db, Tx } from '../../platform/db/db.ts';
import {
  compareLines,
  findAltered,
  tagsField,
  type Difference,
  type ReadLedger,
} from './compare.ts';
import { completeKeys, insertTags, noteKeys, removeTags } from '../search/store.ts';
import { listTags } from '../search/tags.ts';
import { readLinesAt, removeLines, repairLines, type LinePlace } from './store.ts';
import { readLastFound, resolveDivergences } from '../witness/store.ts';

export type { ReadLedger } from './compare.ts';

export type RebuildProgress = {
  readonly wallets: number;
  readonly lines: number;
  readonly repaired: number;
  readonly isDone: boolean;
};

export type RebuildOptions = {
  readonly db: Db;
  readonly readLedger: ReadLedger;
  /** Keys of metadata by which lines can be searched. */
  readonly searchKeys: readonly string[];
};

/**
 * Makes the projection equal to the ledger while both go on: missing lines are added, altered
 * lines are repaired, and lines that the ledger does not have are removed. A line that came after
 * the ledger was read at its place is left alone. Reports its progress after each part. Divergences
 * that were found before it began are resolved at its end, by `resolvedBy`.
 */
export async function* rebuild(
  options: RebuildOptions,
  walletId: string | undefined,
  resolvedBy: string,
): AsyncGenerator<RebuildProgress, void> {
  const { db, readLedger, searchKeys } = options;
  const lastFound = await db.read(readLastFound);
  await db.tx((tx) => noteKeys(tx, searchKeys));
  let repaired = 0;
  let wallets = 0;
  let lines = 0;
  for await (const part of compareLines(options, walletId)) {
    ({ wallets, lines } = part);
    const extra = await confirmExtra(readLedger, part.differences);
    if (extra.length > 0 || part.differences.some(({ kind }) => kind !== 'extra')) {
      repaired += await db.tx((tx) => repair(tx, part.differences, extra, searchKeys));
    }
    yield { wallets, lines, repaired, isDone: false };
  }
  await db.tx(async (tx) => {
    await resolveDivergences(tx, resolvedBy, lastFound, walletId);
    if (walletId === undefined) await completeKeys(tx, searchKeys);
  });
  yield { wallets, lines, repaired, isDone: true };
}

/** Repairs lines and their tags, and removes extra ones. The number of lines that were wrong. */
async function repair(
  tx: Tx,
  differences: readonly Difference[],
  extra: readonly LinePlace[],
  searchKeys: readonly string[],
): Promise<number> {
  const expected = differences.flatMap((d) => (d.kind === 'extra' ? [] : [d.expected]));
  const lines = (await repairLines(tx, expected)) + (await removeLines(tx, extra));
  await removeTags(tx, [...expected, ...extra]);
  await insertTags(tx, listTags(expected, searchKeys));
  // Nothing of these lines was wrong but their tags.
  return lines + differences.filter(isTagged).length;
}

const isTagged = (difference: Difference): boolean =>
  difference.kind === 'altered' && difference.fields.join() === tagsField;

/**
 * Those of the extra lines that the ledger has not by now either. It is asked again, after the
 * lines were seen: a line comes only after its transaction has been committed.
 */
async function confirmExtra(
  readLedger: ReadLedger,
  differences: readonly Difference[],
): Promise<LinePlace[]> {
  const byWallet = new Map<string, LinePlace[]>();
  for (const { kind, place } of differences) {
    if (kind !== 'extra') continue;
    byWallet.set(place.walletId, [...(byWallet.get(place.walletId) ?? []), place]);
  }
  const confirmed: LinePlace[] = [];
  for (const [walletId, places] of byWallet) {
    const left = new Map(places.map((place) => [place.seq, place]));
    const seqs = places.map(({ seq }) => seq);
    const lastSeq = seqs.reduce((a, b) => (a > b ? a : b));
    const firstSeq = seqs.reduce((a, b) => (a < b ? a : b));
    for await (const page of readLedger(walletId, { walletId, seq: firstSeq - 1n })) {
      for (const { seq } of page) left.delete(seq);
      if ((page.at(-1)?.seq ?? 0n) >= lastSeq) break;
    }
    confirmed.push(...left.values());
  }
  return confirmed;
}

export type Finding = {
  readonly place: LinePlace;
  readonly kind: 'line_missing' | 'line_altered' | 'line_extra';
  readonly detail: string;
};

export type VerifyPart = {
  readonly findings: readonly Finding[];
  readonly wallets: number;
  readonly lines: number;
};

/** Missing lines are looked at again after so long: they may just be on their way. */
const graceMs = 2_000;

/** Compares the projection with the ledger and changes nothing. */
export async function* verify(
  options: RebuildOptions,
  walletId: string | undefined,
): AsyncGenerator<VerifyPart, void> {
  const { db, readLedger } = options;
  for await (const { differences, wallets, lines } of compareLines(options, walletId)) {
    const findings: Finding[] = [
      ...(await confirmMissing(db, differences)),
      ...differences.flatMap((d): Finding[] =>
        d.kind === 'altered'
          ? [{ place: d.place, kind: 'line_altered', detail: `differs in ${d.fields.join(', ')}` }]
          : [],
      ),
      ...(await confirmExtra(readLedger, differences)).map((place): Finding => ({
        place,
        kind: 'line_extra',
        detail: 'the ledger does not have it',
      })),
    ];
    yield { findings, wallets, lines };
  }
}

async function confirmMissing(db: Db, differences: readonly Difference[]): Promise<Finding[]> {
  const missing = differences.flatMap((d) => (d.kind === 'missing' ? [d] : []));
  if (missing.length === 0) return [];
  await new Promise((resolve) => setTimeout(resolve, graceMs));
  const places = missing.map(({ place }) => place);
  const come = await db.read((tx) => readLinesAt(tx, places));
  const byPlace = new Map(come.map((line) => [`${line.walletId} ${line.seq}`, line]));
  return missing.flatMap(({ place, expected }): Finding[] => {
    const line = byPlace.get(`${place.walletId} ${place.seq}`);
    if (!line) return [{ place, kind: 'line_missing', detail: 'the ledger has it' }];
    const fields = findAltered(line, expected);
    if (fields.length === 0) return [];
    return [{ place, kind: 'line_altered', detail: `differs in ${fields.join(', ')}` }];
  });
}

/** The wallet that a request names; undefined for all. */
export function readWalletId(walletId: string | undefined): Result<string | undefined> {
  if (walletId === undefined || isUuid(walletId)) return succeed(walletId);
  return refuse('INVALID_ARGUMENT', 'wallet_id must be a UUID in lower case', {
    field: 'wallet_id',
  });
}
