import {
  Operation,
  WalletServiceService,
  type Transaction,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { succeed, type Outcome } from '../../outcome.ts';
import { candidateLimit, resolveId, type IdSearch } from '../shared/id-prefix.ts';
import { formatMoney } from '../../../lib/json/money.ts';
import { nameOperation } from '../../../lib/json/names.ts';

/** What a transaction's id is called where it is typed. */
export const transactionSearch: Omit<IdSearch, 'find'> = {
  field: 'transaction_id',
  noun: 'transaction',
  notFound: 'TRANSACTION_NOT_FOUND',
  list: 'wallet transactions list',
};

/** Which transactions an id is looked for among, and what they are called. */
type Among = {
  readonly search: Omit<IdSearch, 'find'>;
  readonly operation: Operation;
};

const amongAll: Among = { search: transactionSearch, operation: Operation.UNSPECIFIED };

/** The transaction that a text names: by its whole id, or by its beginning within one wallet. */
export function resolveTransactionId(
  { caller }: Pick<Context, 'caller'>,
  text: string,
  wallet: { readonly userId: string; readonly currency: string },
  { search, operation }: Among = amongAll,
): Promise<Outcome<string>> {
  return resolveId(text, {
    ...search,
    find: async (idPrefix) => {
      const request = {
        ...{ ...wallet, idPrefix, pageSize: candidateLimit, pageToken: '' },
        ...{ ascending: false, operation },
      };
      const listed = await caller.call(WalletServiceService.listTransactions, request, 'read');
      return listed.ok ? succeed(listed.value.transactions.map(toCandidate)) : listed;
    },
  });
}

function toCandidate({ id, operation, amountMinor, currency, occurredAt }: Transaction) {
  const what = `${nameOperation(operation)} ${formatMoney(amountMinor, currency)} ${currency}`;
  return { id, description: `${what}, ${occurredAt?.toISOString() ?? 'time unknown'}` };
}
