import { notRun, type Row } from '../support/row.ts';

/** Rows of the table that are not measured yet; they are never shown as met. */
export const exportRow: Row = {
  id: 'export',
  run: () =>
    Promise.resolve([
      notRun(
        { id: 'export', what: '1,000,000 lines to CSV through the CLI', unit: 's', target: '<= 3' },
        'not measured yet',
      ),
    ]),
};
