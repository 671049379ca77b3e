import { succeed, type Result } from '../../../../core/reasons.ts';
import type {
  GetWalletTermsRequest,
  GetWalletTermsResponse,
} from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { readClock } from '../../../platform/db/db.ts';
import type { CallContext } from '../../../platform/grpc/calls.ts';
import { newWallet } from '../../domain.ts';
import { noDefaultLimits, type DefaultLimits } from '../../store/rare-states.ts';
import { readWallets } from '../../store/store.ts';
import { readRef, type ReadOptions } from '../reads.ts';
import { readTermsNow } from './read-terms.ts';
import { toWireTerms } from './wire-terms.ts';

/** A wallet's overdraft and spending limits; the default ones of a wallet that does not exist. */
export async function getWalletTerms(
  options: ReadOptions & { readonly defaultLimits?: DefaultLimits },
  request: GetWalletTermsRequest,
  { principal }: CallContext,
): Promise<Result<GetWalletTermsResponse>> {
  const ref = readRef(options, request, principal);
  if (!ref.ok) return ref;
  const exists = await options.users.check(ref.value.userId);
  if (!exists.ok) return exists;
  const { defaultLimits = noDefaultLimits } = options;
  return options.db.snapshot(async (tx) => {
    const clockMs = await readClock(tx);
    const [wallet = newWallet(ref.value)] = await readWallets(tx, [ref.value], 'none');
    const terms = await readTermsNow(tx, wallet, clockMs, defaultLimits);
    return succeed({ terms: toWireTerms(terms), asOf: new Date(clockMs) });
  });
}
