import { WalletStatus, type Wallet } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { textColumn, timeColumn } from '../../output/columns.ts';
import type { Column } from '../../output/print.ts';
import { formatBalance } from '../../output/shapes.ts';

/** A wallet as printed; `isDryRun` says that what was asked for was not done. */
export type WalletRow = { readonly wallet: Wallet; readonly isDryRun: boolean };

/** docs/cli.md, "JSON": the shape of a wallet. */
export function toWalletJson({ wallet, isDryRun }: WalletRow): object {
  return {
    id: wallet.id,
    userId: wallet.userId,
    currency: wallet.currency,
    balance: balanceOf({ wallet }),
    seq: Number(wallet.seq),
    status: nameStatus(wallet.status),
    lastAt: wallet.lastAt?.toISOString(),
    ...(isDryRun ? { dryRun: true } : {}),
  };
}

/** The columns of wallets. Times in tables are of `timezone`. */
export function walletColumns(timezone: string): readonly Column<WalletRow>[] {
  return [
    {
      header: 'balance',
      value: balanceOf,
      table: { title: 'BALANCE', align: 'right', cell: balanceOf },
    },
    textColumn('currency', 'CURRENCY', ({ wallet }) => wallet.currency),
    textColumn('status', 'STATUS', ({ wallet }) => nameStatus(wallet.status)),
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

/** `unknown` for a number from a newer server. */
function nameStatus(status: WalletStatus): 'active' | 'frozen' | 'corrupt' | 'unknown' {
  if (status === WalletStatus.CORRUPT) return 'corrupt';
  if (status === WalletStatus.ACTIVE) return 'active';
  return status === WalletStatus.FROZEN ? 'frozen' : 'unknown';
}
