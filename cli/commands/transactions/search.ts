import { merchantOf, userOfAccount } from '../../../core/contra-account.ts';
import { metadataLimits, referenceKey } from '../../../core/json/metadata.ts';
import { absoluteMinor } from '../../../core/money.ts';
import { findTextProblem } from '../../../core/text.ts';
import type { TransactionRow } from '../../../lib/json/transactions.ts';
import {
  SearchStatus,
  StatementServiceService,
  type FoundLine,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { Direction, Transaction } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { exitCodes, failUsage, succeed, type CommandOutcome, type Outcome } from '../../outcome.ts';
import { printPages, type OpenList } from '../shared/paging.ts';
import type { TimeRangeOptions } from '../shared/times.ts';

/** What a search is by, and what it cannot be combined with. */
export type SearchOptions = TimeRangeOptions & {
  readonly reference?: string;
  readonly meta?: string;
  readonly operation?: string;
  readonly undone?: boolean;
};

/** A pair of metadata. */
type Tag = { readonly key: string; readonly value: string };

const filters = ['from', 'to', 'last', 'month', 'operation', 'undone'] as const;

/** The pair to search by; undefined for an ordinary list. */
export function readTag(options: SearchOptions): Outcome<Tag | undefined> {
  const { reference, meta } = options;
  if (reference === undefined && meta === undefined) return succeed(undefined);
  const name = reference === undefined ? 'meta' : 'reference';
  const other =
    reference !== undefined && meta !== undefined
      ? 'meta'
      : filters.find((filter) => options[filter] !== undefined);
  if (other !== undefined) return failUsage(name, `--${name} and --${other} exclude each other`);
  if (reference !== undefined) return checkTag(name, { key: referenceKey, value: reference });
  const pair = meta ?? '';
  const end = pair.indexOf('=');
  if (end > 0) return checkTag(name, { key: pair.slice(0, end), value: pair.slice(end + 1) });
  const message = `${JSON.stringify(pair)} is not of the form KEY=VALUE`;
  return failUsage('meta', message, 'for example: --meta order=1042');
}

/** The server would name a field of its own. */
function checkTag(option: 'meta' | 'reference', tag: Tag): Outcome<Tag> {
  const { key, value } = tag;
  const problem = value === '' ? 'must not be empty' : findTextProblem(value, metadataLimits.value);
  if (problem === undefined) return succeed(tag);
  const isMeta = option === 'meta';
  return failUsage(option, isMeta ? `the value of ${JSON.stringify(key)} ${problem}` : problem);
}

/** Prints the transactions with a pair in their metadata, and says whether some may be missing. */
export async function searchTransactions(
  context: Context,
  list: OpenList<TransactionRow>,
  search: Tag & { readonly userId: string; readonly currency: string },
): Promise<CommandOutcome> {
  const judged = { isBehind: false, missing: '' };
  const fetch = async (pageSize: number, pageToken: string) => {
    const method = StatementServiceService.searchLines;
    const got = await context.caller.call(method, { ...search, pageSize, pageToken }, 'read');
    if (!got.ok) return got;
    const { lines, nextPageToken, status } = got.value;
    // Of the first page that is behind, otherwise of the last one that has something to say.
    if (!judged.isBehind) judged.missing = got.value.missing || judged.missing;
    judged.isBehind ||= status === SearchStatus.BEHIND;
    return succeed({ rows: lines.map(toRow), nextPageToken });
  };
  const ifEmpty = 'no transactions with this in their metadata';
  const printed = await printPages(context, list, { ifEmpty, maxPageSize: 500, fetch });
  if (!printed.ok || judged.missing === '') return printed;
  await context.reporter.noteAlways(`transactions may be missing: ${judged.missing}`);
  return judged.isBehind ? succeed(exitCodes.statementNotComplete) : printed;
}

/** A line as a transaction of the ledger, but for what was undone of it. */
function toRow({ line, metadata, walletId, userId, currency }: FoundLine): TransactionRow {
  const { contraAccount = '' } = line ?? {};
  const transaction = Transaction.fromPartial({
    ...{ walletId, userId, currency, metadata, contraAccount },
    id: line?.transactionId ?? '',
    seq: line?.seq ?? 0n,
    operation: line?.operation ?? 0,
    ...movedBy(line),
    balanceAfterMinor: line?.balanceAfterMinor ?? 0n,
    ...(line?.heldMinor === undefined ? {} : { heldMinor: line.heldMinor }),
    ...(line?.heldAfterMinor === undefined ? {} : { heldAfterMinor: line.heldAfterMinor }),
    ...(line?.occurredAt && { occurredAt: line.occurredAt }),
    ...(line?.parentId === undefined ? {} : { parentId: line.parentId }),
    ...(line?.description === undefined ? {} : { description: line.description }),
  });
  const merchant = merchantOf(contraAccount);
  const counterpartyUserId = userOfAccount(contraAccount);
  return {
    transaction: { ...transaction, merchant, counterpartyUserId },
    ...{ replayed: false, isDryRun: false },
  };
}

/** What it moved, or else reserved or released. */
function movedBy(line: FoundLine['line']): Pick<Transaction, 'amountMinor' | 'direction'> {
  const { debitMinor = 0n, creditMinor = 0n, heldMinor = 0n } = line ?? {};
  if (debitMinor > 0n) return { amountMinor: debitMinor, direction: Direction.DEBIT };
  if (creditMinor > 0n) return { amountMinor: creditMinor, direction: Direction.CREDIT };
  return { amountMinor: absoluteMinor(heldMinor), direction: Direction.NONE };
}
