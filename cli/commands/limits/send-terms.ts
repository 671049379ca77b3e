import {
  WalletServiceService,
  type SetWalletTermsRequest,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import { printTerms } from './print-terms.ts';
import { checkTerms } from './terms.ts';

/** Sends a change of terms, and prints what applies after it. */
export async function sendTerms(
  context: Context,
  request: SetWalletTermsRequest,
): Promise<CommandOutcome> {
  const isDryRun = request.dryRun;
  const kind = isDryRun ? 'read' : 'write';
  const set = await context.caller.call(WalletServiceService.setWalletTerms, request, kind);
  if (!set.ok) return set;
  const terms = checkTerms(set.value);
  if (!terms.ok) return terms;
  await printTerms(context, { terms: terms.value, asOf: undefined, isDryRun });
  return done;
}
