import { toHoldJson } from '../../../lib/json/holds.ts';
import { toTransactionJson, type TransactionRow } from '../../../lib/json/transactions.ts';
import { Operation, type Hold } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Column } from '../../output/print.ts';
import { holdColumns } from '../holds/columns.ts';

/** What was made of or with a hold, and the hold after it. */
type MadeHoldRow = TransactionRow & { readonly hold?: Hold | undefined };

/** What a card shows of the hold, beside the transaction. */
const shown = ['state', 'left', 'for', 'expires_at'];

export function madeHoldColumns(timezone: string): readonly Column<MadeHoldRow>[] {
  return holdColumns(timezone)
    .filter(({ header }) => shown.includes(header))
    .map(({ header, value, isText, table }): Column<MadeHoldRow> => {
      const name = header === 'for' ? 'hold_for' : `hold_${header}`;
      return {
        ...(isText === undefined ? {} : { isText }),
        header: name,
        value: ({ hold }) => hold && value({ hold }),
        ...(table && {
          table: {
            title: header === 'for' ? 'FOR' : `HOLD ${table.title}`,
            // A merchant has a line of its own.
            cell: ({ hold, transaction }) =>
              hold && (header !== 'for' || transaction.merchant === undefined)
                ? table.cell({ hold })
                : undefined,
          },
        }),
      };
    });
}

/** docs/cli.md, "JSON": a transaction with its hold. */
export function toMadeHoldJson(row: MadeHoldRow): object {
  const { transaction, hold, isDryRun, replayed } = row;
  const isImagined = isDryRun && !replayed && transaction.operation === Operation.HOLD;
  return { ...toTransactionJson(row), hold: hold && toHoldJson({ hold, isImagined }) };
}
