import {
  WalletServiceService,
  type GetWalletTermsResponse,
  type WalletTerms,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { fail, succeed, type Outcome } from '../../outcome.ts';

/** What applies to a wallet now. An empty user is the caller. */
export async function readTerms(
  { caller }: Pick<Context, 'caller'>,
  wallet: { readonly userId: string; readonly currency: string },
): Promise<Outcome<{ readonly terms: WalletTerms; readonly asOf: Date | undefined }>> {
  const got = await caller.call(WalletServiceService.getWalletTerms, wallet, 'read');
  if (!got.ok) return got;
  const terms = checkTerms(got.value);
  return terms.ok ? succeed({ terms: terms.value, asOf: got.value.asOf }) : terms;
}

/** The terms of an answer. */
export const checkTerms = ({
  terms,
}: Pick<GetWalletTermsResponse, 'terms'>): Outcome<WalletTerms> =>
  terms ? succeed(terms) : fail('UNEXPECTED', 'the server answered without terms');
