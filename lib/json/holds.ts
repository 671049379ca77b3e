import { HoldState, type Hold } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { formatMoney } from './money.ts';

const stateNames = {
  [HoldState.OPEN]: 'open',
  [HoldState.CAPTURED]: 'captured',
  [HoldState.RELEASED]: 'released',
  [HoldState.EXPIRED]: 'expired',
} as const;

const states = [
  ...[HoldState.OPEN, HoldState.CAPTURED],
  ...[HoldState.RELEASED, HoldState.EXPIRED],
] as const;

type HoldStateName = (typeof stateNames)[keyof typeof stateNames];

/** The names of the states of a hold. */
export const holdStateNames: readonly HoldStateName[] = Object.values(stateNames);

/** `unknown` for a number from a newer server. */
export const nameHoldState = (state: HoldState): HoldStateName | 'unknown' =>
  (stateNames as Readonly<Record<number, HoldStateName>>)[state] ?? 'unknown';

/** The state with this name; undefined if there is none. */
export function holdStateOf(name: string): HoldState | undefined {
  return states.find((state) => stateNames[state] === name);
}

/** A hold as printed. `isImagined`: a dry run would have placed it, so that it has no id. */
export type HoldRow = { readonly hold: Hold; readonly isImagined?: boolean };

/** docs/cli.md, "JSON": the shape of a hold. `for` is the account that a capture pays. */
export function toHoldJson({ hold, isImagined = false }: HoldRow): object {
  const money = (minor: bigint): string => formatMoney(minor, hold.currency);
  return {
    id: isImagined ? undefined : hold.id,
    walletId: hold.walletId,
    userId: hold.userId,
    amount: money(hold.amountMinor),
    captured: money(hold.capturedMinor),
    left: money(hold.leftMinor),
    currency: hold.currency,
    state: nameHoldState(hold.state),
    for: hold.contraAccount,
    placedAt: hold.placedAt?.toISOString(),
    expiresAt: hold.expiresAt?.toISOString(),
    closedAt: hold.closedAt?.toISOString(),
  };
}
