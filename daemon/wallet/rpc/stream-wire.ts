import type { Result } from '../../../core/reasons.ts';
import type {
  CreateTransactionResponse,
  StreamTransactionsResponse,
  Transaction,
  TransactionResult,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { AuditedDecision } from '../requests/audited-command.ts';
import { splitByBytes } from '../../../core/messages/split-by-bytes.ts';
import { toWireTransaction } from '../wire.ts';
import { toWireHold } from './wire-holds.ts';

/** Well below the 4 MiB that a client takes by default. */
const maxResponseBytes = 1024 * 1024;

export function toWireResult(result: Result<AuditedDecision>): TransactionResult {
  if (!result.ok) {
    const { reason, message, metadata } = result.rejection;
    return { outcome: { $case: 'refusal', value: { reason, message, metadata: { ...metadata } } } };
  }
  return { outcome: { $case: 'created', value: toWireCreated(result.value) } };
}

export function toWireCreated({
  entry,
  isReplayed,
  hold,
}: AuditedDecision): CreateTransactionResponse {
  const made = { transaction: toWireTransaction(entry), replayed: isReplayed };
  return hold ? { ...made, hold: toWireHold(hold.hold, entry.wallet, hold.atMs) } : made;
}

/**
 * The results of one request, in one message where they fit. A replay may be larger than what asked
 * for it, since it carries the texts of the original.
 */
export function* splitResults(
  results: readonly TransactionResult[],
  ledgerPosition?: string,
): Generator<StreamTransactionsResponse> {
  if (results.length === 0 || ledgerPosition !== undefined) yield { results: [], ledgerPosition };
  for (const chunk of splitByBytes(results, maxResponseBytes, estimateBytes)) {
    yield { results: chunk };
  }
}

/** Far more than the items of one request hold, and far less than what a message may have. */
const maxTextBytes = 1024 * 1024;

/**
 * The results of a batch, which are one message: replays may hold more text than the request, so
 * texts past 1 MiB are left out. A transaction without them takes at most 1 KiB.
 */
export function limitTexts(results: readonly TransactionResult[]): TransactionResult[] {
  let leftBytes = maxTextBytes;
  return results.map((result) => {
    const created = result.outcome?.$case === 'created' ? result.outcome.value : undefined;
    if (!created?.transaction) return result;
    const { description, metadata } = created.transaction;
    const bytes = maxBytesPerUnit * (countUnits(metadata) + (description?.length ?? 0));
    if (bytes > leftBytes) return abridge(created, created.transaction);
    leftBytes -= bytes;
    return result;
  });
}

type Created = Extract<TransactionResult['outcome'], { $case: 'created' }>['value'];

function abridge(created: Created, { description: _, ...others }: Transaction): TransactionResult {
  const value = { ...created, transaction: { ...others, metadata: {} }, abridged: true };
  return { outcome: { $case: 'created', value } };
}

function countUnits(metadata: Readonly<Record<string, string>>): number {
  let units = 0;
  for (const key in metadata) units += key.length + (metadata[key]?.length ?? 0);
  return units;
}

/** Ids, numbers and hash of a transaction, and the keys and lengths around them. */
const fixedBytes = 512;
const maxBytesPerUnit = 3;

/** No less than the encoded size: texts count with the most that UTF-8 takes. */
function estimateBytes({ outcome }: TransactionResult): number {
  if (outcome?.$case !== 'created') return fixedBytes + maxBytesPerUnit * 512;
  const { transaction, hold } = outcome.value;
  const { description, contraAccount, metadata } = transaction ?? none;
  const accounts = contraAccount.length + (hold ? fixedBytes + hold.contraAccount.length : 0);
  const units = (description?.length ?? 0) + accounts + countUnits(metadata);
  return fixedBytes + maxBytesPerUnit * units;
}

const none = { description: undefined, contraAccount: '', metadata: {} };
