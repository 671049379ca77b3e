import {
  Operation,
  WalletServiceService,
  type Hold,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { fail, succeed, type Outcome } from '../../outcome.ts';
import type { IdSearch } from '../shared/id-prefix.ts';
import { resolveTransactionId } from '../transactions/find.ts';

/** What a hold's id is called where it is typed. */
export const holdSearch: Omit<IdSearch, 'find'> = {
  field: 'hold_id',
  noun: 'hold',
  notFound: 'HOLD_NOT_FOUND',
  list: 'wallet holds list',
};

/**
 * The hold that a text names: by its whole id, or by its beginning within one wallet. It has the id
 * of the transaction that placed it.
 */
export const resolveHoldId = (
  context: Pick<Context, 'caller'>,
  text: string,
  wallet: { readonly userId: string; readonly currency: string },
): Promise<Outcome<string>> =>
  resolveTransactionId(context, text, wallet, { search: holdSearch, operation: Operation.HOLD });

/** An empty user is the caller; for staff anyone. */
export async function readHold(
  { caller }: Pick<Context, 'caller'>,
  holdId: string,
  userId: string,
): Promise<Outcome<Hold>> {
  const got = await caller.call(WalletServiceService.getHold, { holdId, userId }, 'read');
  if (!got.ok) return got;
  const { hold } = got.value;
  return hold ? succeed(hold) : fail('UNEXPECTED', 'the server answered without a hold');
}
