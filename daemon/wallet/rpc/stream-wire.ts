import type { Result } from '../../../core/reasons.ts';
import type {
  StreamTransactionsResponse,
  TransactionResult,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { AuditedDecision } from '../requests/audited-command.ts';
import { splitByBytes } from '../../../core/split-by-bytes.ts';
import { toWireTransaction } from '../wire.ts';

/** Well below the 4 MiB that a client takes by default. */
const maxResponseBytes = 1024 * 1024;

export function toWireResult(result: Result<AuditedDecision>): TransactionResult {
  if (!result.ok) {
    const { reason, message, metadata } = result.rejection;
    return { outcome: { $case: 'refusal', value: { reason, message, metadata: { ...metadata } } } };
  }
  const { entry, isReplayed } = result.value;
  const value = { transaction: toWireTransaction(entry), replayed: isReplayed };
  return { outcome: { $case: 'created', value } };
}

/**
 * The results of one request, in one message where they fit. A replay may be larger than what asked
 * for it, since it carries the texts of the original.
 */
export function* splitResults(
  results: readonly TransactionResult[],
): Generator<StreamTransactionsResponse> {
  if (results.length === 0) yield { results: [] };
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
    if (result.outcome?.$case !== 'created' || !result.outcome.value.transaction) return result;
    const { transaction, ...created } = result.outcome.value;
    const { description, metadata, ...others } = transaction;
    const bytes = maxBytesPerUnit * countUnits([description, ...Object.entries(metadata).flat()]);
    if (bytes <= leftBytes) {
      leftBytes -= bytes;
      return result;
    }
    const value = { ...created, transaction: { ...others, metadata: {} }, abridged: true };
    return { outcome: { $case: 'created', value } };
  });
}

const countUnits = (texts: readonly (string | undefined)[]): number =>
  texts.reduce((sum, text) => sum + (text?.length ?? 0), 0);

/** Ids, numbers and hash of a transaction, and the keys and lengths around them. */
const fixedBytes = 512;
const maxBytesPerUnit = 3;

/** No less than the encoded size: texts count with the most that UTF-8 takes. */
function estimateBytes({ outcome }: TransactionResult): number {
  if (outcome?.$case !== 'created') return fixedBytes + maxBytesPerUnit * 512;
  const { transaction } = outcome.value;
  const texts = Object.entries(transaction?.metadata ?? {}).flat();
  const units = countUnits([transaction?.description, transaction?.contraAccount, ...texts]);
  return fixedBytes + maxBytesPerUnit * units;
}
