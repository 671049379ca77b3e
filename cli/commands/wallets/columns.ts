import { textColumn, timeColumn } from '../../output/columns.ts';
import type { Column } from '../../output/print.ts';
import { type WalletRow, formatBalance, nameWalletStatus } from '../../../lib/json/transactions.ts';

/** The columns of wallets. Times in tables are of `timezone`. */
export function walletColumns(timezone: string): readonly Column<WalletRow>[] {
  return [
    {
      header: 'balance',
      value: balanceOf,
      table: { title: 'BALANCE', align: 'right', cell: balanceOf },
    },
    textColumn('currency', 'CURRENCY', ({ wallet }) => wallet.currency),
    textColumn('status', 'STATUS', ({ wallet }) => nameWalletStatus(wallet.status)),
    {
      header: 'seq',
      value: ({ wallet }) => wallet.seq.toString(),
      table: { title: 'SEQ', align: 'right', cell: ({ wallet }) => wallet.seq.toString() },
    },
    timeColumn('last_at', 'LAST', timezone, ({ wallet }) => wallet.lastAt, { isFlexible: true }),
    textColumn('user_id', 'USER', ({ wallet }) => wallet.userId, { isId: true }),
    textColumn('id', 'WALLET', ({ wallet }) => wallet.id, { isId: true }),
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
