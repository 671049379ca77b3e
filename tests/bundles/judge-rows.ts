import { isDeepStrictEqual } from 'node:util';

import { expectedGenesis, expectedHash } from '../support/ledger/chain.ts';
import type { EntryRow } from '../support/ledger/final-rows.ts';
import type { Observed } from './observed.ts';

/** Gapless sequences, hash chains, and wallets that equal their last entries. */
export function judgeLedger({ entries, wallets }: Observed): string[] {
  const violations: string[] = [];
  const last = new Map<string, EntryRow>();
  for (const entry of entries) {
    const before = last.get(entry.wallet_id);
    const where = `${entry.wallet_id} seq ${entry.seq}`;
    if (BigInt(entry.seq) !== BigInt(before?.seq ?? 0) + 1n) violations.push(`${where}: a gap`);
    if (BigInt(entry.balance_after) < 0n) violations.push(`${where}: an overdraft`);
    if (expectedHash(previousHashOf(entry, before), entry) !== entry.hash) {
      violations.push(`${where}: another hash`);
    }
    last.set(entry.wallet_id, entry);
  }
  for (const { id, balance, seq, last_hash: hash } of wallets) {
    const entry = last.get(id);
    const isSame = entry?.balance_after === balance && entry.seq === seq && entry.hash === hash;
    if (!isSame) violations.push(`${id}: the wallet differs from its last entry`);
  }
  if (wallets.length !== last.size) violations.push(`${last.size} wallets have entries`);
  return violations;
}

const previousHashOf = (entry: EntryRow, before: EntryRow | undefined): string =>
  before?.hash ?? expectedGenesis(entry.wallet_id, entry.user_id, entry.currency);

/** Each entry is exactly one line, with the same fields, in the same place. */
export function judgeLines({ entries, lines }: Observed): string[] {
  const violations: string[] = [];
  if (lines.length !== entries.length) {
    violations.push(`${lines.length} lines of ${entries.length} entries`);
  }
  const byPlace = new Map(lines.map((line) => [`${line.wallet_id} ${line.seq}`, line]));
  if (byPlace.size !== lines.length) violations.push('several lines are at one place');
  let before: EntryRow | undefined;
  for (const entry of entries) {
    const place = `${entry.wallet_id} ${entry.seq}`;
    const line = byPlace.get(place);
    const previous = before?.wallet_id === entry.wallet_id ? before : undefined;
    before = entry;
    if (!line) {
      violations.push(`${place}: no line`);
      continue;
    }
    const source = entry.source === 2 ? 'message' : 'grpc';
    const expected = { ...entry, source, previous_hash: previousHashOf(entry, previous) };
    if (!isDeepStrictEqual({ ...line }, expected)) violations.push(`${place}: the line differs`);
  }
  return violations;
}
