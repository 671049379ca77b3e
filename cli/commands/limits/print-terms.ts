import { formatMoney } from '../../../lib/json/money.ts';
import { toTermsJson, type TermsRow } from '../../../lib/json/wallet-terms.ts';
import type { LimitUse, WalletTerms } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { groupThousands } from '../../output/amount.ts';
import { formatCard } from '../../output/card.ts';
import { numberColumn, timeColumn } from '../../output/columns.ts';
import { formatCsvHeader, formatCsvRows } from '../../output/csv.ts';
import { openTable } from '../../output/list-printer.ts';
import { printObject, type Column } from '../../output/print.ts';
import { titleOfLimit } from './names.ts';

/** Prints a wallet's terms: for people a card and a table of its limits, for CSV the limits. */
export async function printTerms(context: Context, row: TermsRow): Promise<void> {
  const { stdout } = context.io;
  const { output } = context.manner;
  if (output === 'json' || output === 'ndjson') {
    await printObject(context, row, [], toTermsJson);
    return;
  }
  const columns = useColumns(row.terms.currency, context.settings.timezone);
  if (output === 'csv') {
    await stdout.write(formatCsvHeader(columns) + formatCsvRows(stdout, columns, row.terms.uses));
    return;
  }
  await stdout.write(formatCard(context, describeTerms(row)));
  if (row.terms.uses.length === 0) return;
  const table = openTable(context, { columns, isWide: false, areChosen: false });
  await stdout.write(`\n${await table.addRows(row.terms.uses)}`);
}

function describeTerms({ terms, isDryRun }: TermsRow) {
  const { userId, currency, overdraftLimitMinor, limits, number } = terms;
  const overdraft = groupThousands(formatMoney(overdraftLimitMinor, currency));
  return [
    ['dry run', isDryRun ? 'nothing was changed' : undefined],
    ['user', userId],
    ['currency', currency],
    ['overdraft limit', `${overdraft} ${currency}`],
    ['spending limits', describeOrigin(terms)],
    ['days begin in', limits && (limits.timezone || 'UTC')],
    ['changes', number.toString()],
  ] as const;
}

function describeOrigin({ isDefault, uses }: WalletTerms): string {
  if (uses.length === 0) return 'none';
  return isDefault ? "the server's default ones" : "the wallet's own";
}

const isOfOne = ({ name }: LimitUse): boolean => name === 'perTransaction';

function useColumns(currency: string, timezone: string): readonly Column<LimitUse>[] {
  const money = (minor: bigint): string => formatMoney(minor, currency);
  return [
    {
      header: 'name',
      value: ({ name }) => name,
      table: { title: 'LIMIT', isKey: true, cell: ({ name }) => titleOfLimit(name) },
    },
    numberColumn('limit', 'AMOUNT', ({ limitMinor }) => money(limitMinor), { isKey: true }),
    numberColumn('used', 'USED', (use) => (isOfOne(use) ? undefined : money(use.usedMinor))),
    numberColumn('left', 'LEFT', (use) => (isOfOne(use) ? undefined : money(use.leftMinor)), {
      isKey: true,
    }),
    { header: 'currency', value: () => currency },
    timeColumn('resets_at', 'RESETS', timezone, ({ resetsAt }) => resetsAt),
  ];
}
