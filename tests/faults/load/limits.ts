import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { currency } from '../book.ts';
import type { Person } from '../site/people.ts';
import type { Load } from './load.ts';

/** So that a wallet under load comes to its limits within a run. */
const limits = {
  perTransactionMinor: 7_000n,
  dayMinor: 400_000n,
  rolling: [{ hours: 1, amountMinor: 200_000n }],
  timezone: 'UTC',
};

/** Spending limits for the rest of the run. */
export async function setLimits({ site }: Load, { id: userId }: Person): Promise<void> {
  const method = WalletServiceService.setWalletTerms;
  const note = 'a limited wallet';
  const request = { userId, currency, note, dryRun: false, limits, clearLimits: false };
  const [node] = site.nodes;
  const answer = await node.connection().call(method, request, site.operator.token);
  if (!answer.ok) throw new Error(`limits were refused with ${answer.reason}`);
}
