import { notRun, type Row } from '../support/row.ts';

/** Rows of the table that are not measured yet; they are never shown as met. */
export const batchRow: Row = {
  id: 'batch',
  run: () =>
    Promise.resolve([
      notRun(
        {
          id: 'batch',
          what: 'wallet batch run of 100,000 rows',
          unit: 'transactions/s',
          target: '>= 0.6',
        },
        'not measured yet',
      ),
    ]),
};
