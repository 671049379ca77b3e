import { genesisHash } from '../../../core/chain.ts';
import { walletIdOf } from '../../../core/ids.ts';
import {
  createRowReader,
  hasCurrency,
  hasDigest,
  hashOf,
  type FileRow,
} from '../../../core/statement-format/index.ts';
import type { Finding } from './lines.ts';
import { toAbsent, toAltered, toBroken } from './verdict.ts';

/** Where a check begins: the line before the first, and its hash; seq 0, no hash: there is none. */
export type Start = { readonly seq: bigint; readonly hash: string | undefined };

/**
 * Verifies a wallet's lines one after the other as `copyLines` hands them over: that none is
 * missing, that each follows the one before by its hash, and that each is what its hash says.
 */
export function startRowCheck(
  wallet: { readonly id: string; readonly userId: string; readonly currency: string },
  start: Start,
) {
  const { id, userId, currency } = wallet;
  const { row, read } = createRowReader();
  const isOwn = id === walletIdOf(userId, currency);
  let seq = start.seq;
  let last = toDigest(start.hash ?? genesisHash(id, userId, currency));
  return {
    /** The line that was read last. */
    row: row as Readonly<FileRow>,
    /** Reads the next line; answers what is wrong with it, if anything is. */
    next: (bytes: Buffer, from: number, end: number): Finding | undefined => {
      read(bytes, from, end);
      seq += 1n;
      if (row.seq !== Number(seq)) return toAbsent(seq);
      const { source, previousHashAt, hashAt } = row;
      const follows = hasDigest(source, previousHashAt, last);
      if (!follows && seq > 1n) return toBroken(seq);
      const digest = hashOf(row);
      if (!follows || !isOwn || !hasCurrency(row, currency) || !hasDigest(source, hashAt, digest)) {
        return toAltered(seq, source.toString('hex', hashAt, hashAt + 32));
      }
      last = digest;
      return undefined;
    },
    /** Call it once all lines through `throughSeq` must have been there. */
    findMissing: (throughSeq: bigint): Finding | undefined =>
      seq < throughSeq ? toAbsent(seq + 1n) : undefined,
  };
}

const toDigest = (hash: string): string => Buffer.from(hash, 'hex').toString('latin1');
