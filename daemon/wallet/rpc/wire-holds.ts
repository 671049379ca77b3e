import {
  HoldState,
  type Hold as WireHold,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Hold, WalletRef } from '../domain.ts';

export const wireHoldStates: Readonly<Record<Hold['state'], HoldState>> = {
  open: HoldState.OPEN,
  captured: HoldState.CAPTURED,
  released: HoldState.RELEASED,
  expired: HoldState.EXPIRED,
};

/** A hold as it is at `nowMs`: one whose time is over is shown as expired, released or not. */
export function toWireHold(hold: Hold, wallet: WalletRef, nowMs: number): WireHold {
  const isOver = hold.state === 'open' && hold.expiresAtMs <= nowMs;
  const closedAtMs = isOver ? hold.expiresAtMs : hold.closedAtMs;
  return {
    id: hold.id,
    walletId: hold.walletId,
    userId: wallet.userId,
    currency: wallet.currency,
    amountMinor: hold.amountMinor,
    capturedMinor: hold.capturedMinor,
    leftMinor: isOver ? 0n : hold.amountMinor - hold.usedMinor,
    state: isOver ? HoldState.EXPIRED : wireHoldStates[hold.state],
    contraAccount: hold.contraAccount,
    placedAt: new Date(hold.placedAtMs),
    expiresAt: new Date(hold.expiresAtMs),
    closedAt: closedAtMs === undefined ? undefined : new Date(closedAtMs),
  };
}
