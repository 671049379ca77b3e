import { accountOfUser, defaultVia, externalPrefix } from '../../../core/contra-account.ts';
import { transactionIdOf, walletIdOf } from '../../../core/ids.ts';
import type { Operation } from '../../../core/operations.ts';
import { userIdOf } from '../product.ts';

/** When the holds expire: none of them has while anything is measured. */
export const neverAt = '2099-01-01T00:00:00.000Z';

/** What an entry moves. */
export type Move = {
  readonly id: string;
  readonly operation: Operation;
  readonly amountMinor: bigint;
  readonly contraAccount: string;
  readonly parentId?: string;
  readonly usedMinor?: bigint;
  readonly wholeMinor?: bigint;
  readonly heldMinor?: bigint;
  readonly expiresAt?: string;
  /** Of a hold: whether all of it is used in the end, and how much of that is captured. */
  readonly hold?: { readonly isUsed: boolean; readonly capturedMinor: bigint };
};

export function toPlain(walletId: string, seq: number): Move {
  const isDeposit = seq % 2 === 1;
  return {
    id: transactionIdOf(walletId, 'staff', `fill ${seq}`),
    operation: isDeposit ? 'deposit' : 'withdraw',
    amountMinor: seq === 1 ? 1_000_000_000n : isDeposit ? 100n : -100n,
    contraAccount: externalPrefix + defaultVia,
  };
}

/** What the nth wallet has with the one beside it, by seq: the even one of the two pays. */
export function listLinked(n: number, wallets: number): ReadonlyMap<number, Move> {
  const isPayer = n % 2 === 0;
  const other = isPayer ? n + 1 : n - 1;
  if (other >= wallets) return new Map();
  const payerId = walletIdOf(userIdOf(isPayer ? n : other), 'BRL');
  const idOf = (seq: number): string => transactionIdOf(payerId, 'staff', `fill ${seq}`);
  const sign = isPayer ? -1n : 1n;
  const contraAccount = accountOfUser(userIdOf(other));
  const wholeMinor = 200n;
  const of = { contraAccount, wholeMinor, operation: 'reversal', parentId: idOf(5) } as const;
  return new Map<number, Move>([
    [5, { id: idOf(5), operation: 'transfer', amountMinor: sign * wholeMinor, contraAccount }],
    [7, { ...of, id: idOf(7), amountMinor: -sign * 50n }],
    [8, { ...of, id: idOf(8), amountMinor: -sign * 30n, usedMinor: 50n }],
    ...(isPayer ? listHeld(idOf, contraAccount) : []),
    ...(isPayer ? [] : [toPaid(idOf(10), contraAccount)]),
  ]);
}

const capturedMinor = 40n;

const toPaid = (id: string, contraAccount: string): readonly [number, Move] => [
  10,
  { id, operation: 'capture', amountMinor: capturedMinor, contraAccount },
];

/** What the one that pays has on its own wallet. */
function listHeld(
  idOf: (seq: number) => string,
  contraAccount: string,
): readonly (readonly [number, Move])[] {
  const wholeMinor = 100n;
  const [captured, restMinor] = [-capturedMinor, wholeMinor - capturedMinor];
  const use = { contraAccount, parentId: idOf(9), wholeMinor };
  const hold = { operation: 'hold', amountMinor: 0n, expiresAt: neverAt, contraAccount } as const;
  const ends = { isUsed: true, capturedMinor };
  const [capture, release] = [{ operation: 'capture' }, { operation: 'release' }] as const;
  return [
    [9, { ...hold, id: idOf(9), heldMinor: wholeMinor, hold: ends }],
    [10, { ...use, ...capture, id: idOf(10), amountMinor: captured, heldMinor: captured }],
    [
      11,
      {
        ...{ ...use, ...release, id: idOf(11), amountMinor: 0n, heldMinor: -restMinor },
        usedMinor: capturedMinor,
      },
    ],
    [12, { ...hold, id: idOf(12), heldMinor: 70n, hold: { isUsed: false, capturedMinor: 0n } }],
  ];
}
