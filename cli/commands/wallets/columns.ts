import { availableColumns } from '../../output/available-columns.ts';
import { emailColumn, numberColumn, textColumn, timeColumn } from '../../output/columns.ts';
import type { Column } from '../../output/print.ts';
import {
  type WalletRow,
  formatBalance,
  nameWalletStatus,
  toWalletJson,
} from '../../../lib/json/transactions.ts';

/** A wallet in a list, with its owner's address where the caller may know it. */
type OwnedWallet = WalletRow & { readonly userEmail?: string | undefined };

/** docs/cli.md, "JSON": a wallet of a list. */
export const toOwnedWalletJson = (row: OwnedWallet): object => ({
  ...toWalletJson(row),
  userEmail: row.userEmail,
});

/** The columns of wallets. Times in tables are of `timezone`. */
export function walletColumns(timezone: string): readonly Column<OwnedWallet>[] {
  return [
    numberColumn('balance', 'BALANCE', balanceOf, { priority: 6 }),
    textColumn('currency', 'CURRENCY', ({ wallet }) => wallet.currency, { priority: 6 }),
    ...availableColumns,
    textColumn('status', 'STATUS', ({ wallet }) => nameWalletStatus(wallet.status)),
    textColumn('seq', 'SEQ', ({ wallet }) => wallet.seq.toString(), {
      ...{ align: 'right', priority: 1 },
    }),
    timeColumn('last_at', 'LAST', timezone, ({ wallet }) => wallet.lastAt),
    textColumn('user_id', 'USER', ({ wallet }) => wallet.userId, { isId: true }),
    emailColumn('user_email', 'EMAIL', ({ userEmail }) => userEmail, { priority: 5 }),
    textColumn('id', 'WALLET', ({ wallet }) => wallet.id, { isKey: true }),
  ];
}

/** Said with the data itself, so that the answer is not taken for a change. */
export const walletDryRunColumn: Column<WalletRow> = {
  header: 'dry_run',
  value: ({ isDryRun }) => String(isDryRun),
  table: { title: 'DRY RUN', cell: () => 'nothing was changed' },
};

const balanceOf = ({ wallet }: Pick<WalletRow, 'wallet'>): string | undefined =>
  formatBalance(wallet);
