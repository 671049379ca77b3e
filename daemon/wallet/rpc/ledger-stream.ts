import { toMoreColumns } from '../../../core/chain.ts';
import { isUuid } from '../../../core/ids.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type {
  StreamLedgerRequest,
  StreamLedgerResponse,
  Transaction,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Db } from '../../platform/db/db.ts';
import { readLedger, type LedgerPlace } from '../store/reads.ts';
import type { Entry } from '../domain.ts';
import { splitByBytes } from '../../../core/messages/split-by-bytes.ts';
import { toWireTransaction } from '../wire.ts';

const entriesPerRead = 1_000;
/** Well below 1 MiB, whatever the texts are. */
const maxMessageBytes = 512 * 1024;
const noWallet = '00000000-0000-0000-0000-000000000000';

/**
 * The ledger in order of wallet id and seq, of all wallets or of one, from a place on. Each page is
 * read when the one before has been taken. A wallet's transactions are a beginning of them without
 * a gap; what is committed behind the place that was read is not in it. INVALID_ARGUMENT.
 */
export function streamLedger(
  db: Db,
  request: StreamLedgerRequest,
): Result<AsyncIterable<StreamLedgerResponse>> {
  const { walletId, afterSeq } = request;
  const afterWalletId = request.afterWalletId === '' ? noWallet : request.afterWalletId;
  for (const [field, id] of [
    ['wallet_id', walletId ?? noWallet],
    ['after_wallet_id', afterWalletId],
  ] as const) {
    if (!isUuid(id)) {
      return refuse('INVALID_ARGUMENT', `${field} must be a UUID in lower case`, { field });
    }
  }
  if (afterSeq < 0n) {
    return refuse('INVALID_ARGUMENT', 'after_seq must not be negative', { field: 'after_seq' });
  }
  if (walletId === undefined) {
    return succeed(streamAfter(db, { walletId: afterWalletId, seq: afterSeq }, false));
  }
  // Of one wallet: nothing of it lies behind a later wallet, and all of it behind an earlier one.
  if (afterWalletId > walletId) return succeed(streamAfter(db, endOf(walletId), true));
  const seq = afterWalletId === walletId ? afterSeq : 0n;
  return succeed(streamAfter(db, { walletId, seq }, true));
}

const endOf = (walletId: string): LedgerPlace => ({ walletId, seq: 2n ** 63n - 1n });

async function* streamAfter(
  db: Db,
  start: LedgerPlace,
  isOneWallet: boolean,
): AsyncGenerator<StreamLedgerResponse, void> {
  let after = start;
  for (;;) {
    const place = after;
    const entries = await db.read((tx) => readLedger(tx, place, isOneWallet, entriesPerRead));
    const last = entries.at(-1);
    if (!last) return;
    for (const transactions of splitIntoMessages(entries)) yield { transactions };
    after = { walletId: last.wallet.id, seq: last.seq };
  }
}

/** What fits into a message each. */
export const splitIntoMessages = (entries: readonly Entry[]): Iterable<Transaction[]> =>
  splitByBytes(entries.map(toLedgerTransaction), maxMessageBytes, sizeOf);

/** With all that its hash covers. */
function toLedgerTransaction(entry: Entry): Transaction {
  const transaction = { ...toWireTransaction(entry), source: entry.source };
  if (!entry.more) return transaction;
  const { held, heldAfter, parentUsed, groupId } = toMoreColumns(entry.more);
  const more = { heldMinor: held, heldAfterMinor: heldAfter, parentUsedMinor: parentUsed };
  return { ...transaction, ...more, groupId };
}

/** 400 for ids, hash, numbers and times; the merchant is within the contra account. */
function sizeOf({ description, contraAccount, actor, metadata }: Transaction): number {
  const texts = JSON.stringify([description, contraAccount, contraAccount, actor, metadata]);
  return 400 + Buffer.byteLength(texts);
}
