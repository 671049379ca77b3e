import type { Context } from '../../../context.ts';
import { fail, succeed, type Outcome } from '../../../outcome.ts';
import { askYes } from '../../shared/confirm.ts';
import { maxNewRows } from '../survey.ts';
import type { Comparison } from './known-batch.ts';

const rowsOf = (count: number): string => (count === 1 ? '1 row' : `${count} rows`);

/** Why a file may pay under a batch id what its author did not mean to pay. */
export function findSurprises(comparison: Comparison): readonly string[] {
  const { paid, missing, fresh, unpaid, isChangedInDoubt } = comparison;
  if (paid === 0 && !isChangedInDoubt) return [];
  return [
    ...(missing > 0
      ? [
          `${rowsOf(missing)} that ${missing === 1 ? 'was' : 'were'} paid under this batch id ` +
            `${missing === 1 ? 'is' : 'are'} not in the file: changed since, or removed`,
        ]
      : []),
    ...(paid > 0 && fresh > unpaid
      ? [
          `${rowsOf(fresh)} would be paid now, and only ${rowsOf(Math.max(0, unpaid))} of the last ` +
            'file with this batch id had not been paid',
        ]
      : []),
    ...(isChangedInDoubt
      ? [
          'the rows have changed since a run under this batch id was interrupted: rows that were ' +
            'sent then, and have no result, may have been paid',
        ]
      : []),
  ];
}

function describeNew(rows: readonly number[]): readonly string[] {
  if (rows.length === 0) return [];
  const shown = rows.slice(0, maxNewRows).join(', ');
  return [`new: row ${shown}${rows.length > maxNewRows ? ' and others' : ''}`];
}

/**
 * A known batch id under which paid rows changed, or that has additional rows, needs an answer:
 * from a person, or by `--allow-new-rows`. A dry run only warns.
 */
export async function checkKnownBatch(
  context: Context,
  comparison: Comparison,
  {
    isAllowed,
    isDryRun,
    newRows,
  }: {
    readonly isAllowed: boolean;
    readonly isDryRun: boolean;
    /** The first few rows that were not paid before. */
    readonly newRows: readonly number[];
  },
): Promise<Outcome<undefined>> {
  const found = findSurprises(comparison);
  if (found.length === 0 || isAllowed) return succeed(undefined);
  const surprises = [...found, ...describeNew(newRows)];
  const canAsk = context.canPrompt && !context.isConfirmed;
  if (isDryRun || canAsk) {
    for (const surprise of surprises) await context.reporter.warnAlways(surprise);
    return isDryRun ? succeed(undefined) : askYes(context, 'Pay the new rows?');
  }
  return fail('CONFIRMATION_REQUIRED', `${surprises.join('; ')}; nothing was sent`, {
    field: 'batch-id',
    hint:
      'compare the file with the results of the last run; what was paid stays paid: to pay the ' +
      'new rows besides, add --allow-new-rows',
  });
}
