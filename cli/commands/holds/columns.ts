import { merchantOf, userOfAccount, viaOf } from '../../../core/contra-account.ts';
import { formatMoney } from '../../../lib/json/money.ts';
import { nameHoldState, toHoldJson, type HoldRow } from '../../../lib/json/holds.ts';
import type { Hold } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { groupThousands } from '../../output/amount.ts';
import { emailColumn, textColumn, timeColumn } from '../../output/columns.ts';
import type { Column } from '../../output/print.ts';

/** A hold in a list, with its owner's address where the caller may know it. */
type OwnedHold = HoldRow & { readonly userEmail?: string | undefined };

/** docs/cli.md, "JSON": a hold of a list. */
export const toOwnedHoldJson = (row: OwnedHold): object => ({
  ...toHoldJson(row),
  userEmail: row.userEmail,
});

/** Who a capture pays, for people. */
export function describePayee(contraAccount: string): string {
  const user = userOfAccount(contraAccount);
  if (user !== undefined) return `user ${user}`;
  const via = viaOf(contraAccount);
  if (via !== undefined) return `via ${via}`;
  return merchantOf(contraAccount) ?? 'any merchant';
}

type Money = (hold: Hold) => bigint;

/** Plain as data; in tables with the currency, which the columns beside it need not repeat. */
function moneyColumn(
  header: string,
  title: string,
  minorOf: Money,
  look: { readonly priority: number },
): Column<HoldRow> {
  const value = ({ hold }: HoldRow): string => formatMoney(minorOf(hold), hold.currency);
  const cell = (row: HoldRow): string => `${groupThousands(value(row))} ${row.hold.currency}`;
  return { header, value, table: { title, align: 'right', cell, ...look } };
}

/** The columns of holds. Times in tables are of `timezone`. */
export function holdColumns(timezone: string): readonly Column<OwnedHold>[] {
  return [
    textColumn('id', 'HOLD', ({ hold, isImagined }) => (isImagined ? undefined : hold.id), {
      isKey: true,
    }),
    textColumn('state', 'STATE', ({ hold }) => nameHoldState(hold.state), { priority: 6 }),
    moneyColumn('left', 'LEFT', ({ leftMinor }) => leftMinor, { priority: 7 }),
    timeColumn('expires_at', 'EXPIRES', timezone, ({ hold }) => hold.expiresAt, { priority: 6 }),
    {
      header: 'for',
      value: ({ hold }) => hold.contraAccount,
      isText: true,
      table: {
        ...{ title: 'FOR', isFlexible: true, leastWidth: 8, priority: 5 },
        cell: ({ hold }) => describePayee(hold.contraAccount),
      },
    },
    moneyColumn('amount', 'AMOUNT', ({ amountMinor }) => amountMinor, { priority: 4 }),
    moneyColumn('captured', 'CAPTURED', ({ capturedMinor }) => capturedMinor, { priority: 3 }),
    { header: 'currency', value: ({ hold }) => hold.currency },
    timeColumn('placed_at', 'PLACED', timezone, ({ hold }) => hold.placedAt, { priority: 1 }),
    timeColumn('closed_at', 'CLOSED', timezone, ({ hold }) => hold.closedAt, { isCardOnly: true }),
    emailColumn('user_email', 'EMAIL', ({ userEmail }) => userEmail, { priority: 4 }),
    textColumn('user_id', 'USER', ({ hold }) => hold.userId, { isId: true }),
    textColumn('wallet_id', 'WALLET', ({ hold }) => hold.walletId, { isCardOnly: true }),
  ];
}
