import type { Tx } from '../../../platform/db/db.ts';
import type { SpendingLimits, WalletState } from '../../domain.ts';
import { earliestTimeMs } from '../../domain.ts';
import { anchorKey, limitsOf, windowsOf } from '../../domain-limits.ts';
import { readAnchors, readExpiring, type DefaultLimits } from '../../store/rare-states.ts';

/** A limit, and what was used of it. */
type LimitUse = {
  readonly name: string;
  readonly limitMinor: bigint;
  readonly usedMinor: bigint;
  readonly resetsAtMs: number | undefined;
};

/** A wallet's terms with what was used of its limits, own or default. */
export type TermsNow = {
  readonly wallet: WalletState;
  readonly limits: SpendingLimits | undefined;
  readonly uses: readonly LimitUse[];
};

/** Of a wallet as it is in this transaction at `clockMs`. */
export async function readTermsNow(
  tx: Tx,
  wallet: WalletState,
  clockMs: number,
  defaultLimits: DefaultLimits,
): Promise<TermsNow> {
  const limits = limitsOf(wallet, defaultLimits);
  if (!limits) return { wallet, limits, uses: [] };
  const { anchors } = await readAnchors(tx, [{ wallet, limits }], clockMs);
  const heldMinor = await readHeld(tx, wallet, clockMs);
  const windows = windowsOf(limits, Math.max(clockMs, earliestTimeMs(wallet)));
  const { perTransactionMinor: limitMinor } = limits;
  const name = 'perTransaction';
  const each = { name, usedMinor: 0n, resetsAtMs: undefined };
  const uses = windows.map((window) => ({
    name: window.name,
    limitMinor: window.limitMinor,
    usedMinor:
      wallet.debitedMinor - (anchors.get(anchorKey(wallet.id, window.startMs)) ?? 0n) + heldMinor,
    resetsAtMs: window.resetsAtMs,
  }));
  return {
    wallet,
    limits,
    uses: limitMinor === undefined ? uses : [{ ...each, limitMinor }, ...uses],
  };
}

/** What open holds reserve, without those whose time is over. */
async function readHeld(tx: Tx, wallet: WalletState, clockMs: number): Promise<bigint> {
  const { due } = await readExpiring(tx, new Map([[wallet.id, wallet]]), clockMs);
  const over = due.get(wallet.id) ?? [];
  const overMinor = over.reduce((sum, hold) => sum + hold.amountMinor - hold.usedMinor, 0n);
  return (wallet.held?.heldMinor ?? 0n) - overMinor;
}
