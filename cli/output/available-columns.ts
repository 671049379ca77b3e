import { formatMoney } from '../../lib/json/money.ts';
import { isCorrupt } from '../../lib/json/transactions.ts';
import type { Wallet } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { numberColumn } from './columns.ts';
import type { Column } from './print.ts';

type Row = { readonly wallet: Wallet };
type Minor = bigint | undefined;

/** Only where something is held, or an overdraft allowed, is what can be spent not the balance. */
const isAvailableTold = ({ heldMinor, overdraftLimitMinor }: Wallet): boolean =>
  heldMinor !== undefined || overdraftLimitMinor !== undefined;

/** A column that people see only where it says more than the balance. */
function availableColumn(
  header: string,
  title: string,
  minorOf: (wallet: Wallet) => Minor,
): Column<Row> {
  const value = ({ wallet }: Row): string | undefined => {
    const minor = isCorrupt(wallet) ? undefined : minorOf(wallet);
    return minor === undefined ? undefined : formatMoney(minor, wallet.currency, wallet.exponent);
  };
  const cell = (row: Row): string | undefined =>
    isAvailableTold(row.wallet) ? value(row) : undefined;
  const look = { isHiddenIfEmpty: true, priority: 5 } as const;
  return { ...numberColumn(header, title, cell, look), value };
}

/** What can be spent of a wallet, and why it is not the balance. Of the past only what was held. */
export const availableColumns: readonly Column<Row>[] = [
  availableColumn('available', 'AVAILABLE', ({ availableMinor }) => availableMinor),
  availableColumn('held', 'HELD', ({ availableMinor, heldMinor }) =>
    availableMinor === undefined ? heldMinor : (heldMinor ?? 0n),
  ),
  availableColumn(
    'overdraft_limit',
    'OVERDRAFT LIMIT',
    ({ overdraftLimitMinor }) => overdraftLimitMinor,
  ),
];
