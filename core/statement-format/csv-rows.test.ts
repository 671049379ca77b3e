import { describe, expect, it } from 'vitest';

import { toCopyRow } from '../../tests/support/ledger/copy-row.ts';
import {
  headOf,
  makeLines,
  makeOverdrawnLines,
} from '../../tests/support/ledger/statement-model.ts';
import { operations } from '../operations.ts';
import {
  createRowReader,
  createStatementWriter,
  exportLocales,
  type StatementFileLine,
} from './index.ts';

const line: StatementFileLine = {
  seq: 1n,
  occurredAtMs: Date.parse('2026-01-10T12:34:56.007Z'),
  transactionId: '7b0c1f52-6a0e-5a59-9d5c-2f6f1f0c9a11',
  operation: 'deposit',
  description: undefined,
  amountMinor: 1n,
  balanceAfterMinor: 1n,
  contraAccount: 'external:cash',
};
const limit = 10n ** 18n - 1n;
/** Lines at the edges of what there can be. */
const edges: readonly StatementFileLine[] = [
  ...[1n, 9n, 10n, 99n, 100n, 101n, 10n ** 15n - 1n, 10n ** 15n, limit].flatMap((minor) => [
    { ...line, amountMinor: minor, balanceAfterMinor: minor },
    { ...line, amountMinor: -minor, balanceAfterMinor: 0n },
    { ...line, amountMinor: -minor, balanceAfterMinor: -minor },
  ]),
  ...['', 'N', '\\N', '\\', 'merchant:x', 'plain words', 'é日😀', 'a;b', 'a,b', '"', "'"].map(
    (description) => ({ ...line, description }),
  ),
  ...[
    'merchant:',
    'merchant:Café',
    'merchant:=1',
    'merchant',
    'Merchant:x',
    '\\N',
    'tab\there',
  ].map((contraAccount) => ({ ...line, contraAccount })),
  ...['user:1b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a11', 'external:itau'].map((contraAccount) => ({
    ...line,
    contraAccount,
  })),
  ...operations.map((operation) => ({ ...line, operation })),
  ...['0001-01-02T00:00:00Z', '1899-12-31T23:59:59.999Z', '1969-12-31T23:59:59.999Z']
    .concat(['1970-01-01T00:00:00Z', '2018-11-04T02:59:59.999Z', '2018-11-04T03:00:00Z'])
    .concat(['2019-02-17T01:59:59.999Z', '2019-02-17T02:00:00Z', '9999-12-30T23:59:59.999Z'])
    .map((time) => ({ ...line, occurredAtMs: Date.parse(time) })),
];
const startMs = Date.parse('2025-10-01T00:00:00Z');
const lines = [...makeLines(7, 2_000, startMs), ...makeOverdrawnLines(8, 500, startMs), ...edges];

function readRow(read: ReturnType<typeof createRowReader>['read'], one: StatementFileLine): void {
  const bytes = toCopyRow(one);
  read(bytes, 0, bytes.length);
}

const zones = ['UTC', 'America/Sao_Paulo', 'Asia/Kathmandu', 'Europe/Lisbon', 'Africa/Monrovia'];

describe.each(exportLocales)('a CSV file in %s', (locale) => {
  it.each(['BRL', 'JPY', 'KWD'])('CSV in %s has the same bytes by row as by line', (currency) => {
    let written = 0;
    for (const timezone of zones) {
      const head = headOf(currency, lines, 0, timezone);
      const options = { locale, hasByteOrderMark: false };
      const [byRow, byLine] = [
        createStatementWriter('csv', head, options),
        createStatementWriter('csv', head, options),
      ];
      const { row, read } = createRowReader();
      const into = Buffer.alloc(8_192, '#');
      for (const one of lines) {
        readRow(read, one);
        const room = byRow.rows!.roomOf(row);
        const end = byRow.rows!.write(row, into, 11);
        if (end < 0) continue;
        written += 1;
        const bytes = into.toString('utf8', 11, end);
        // By hand: an assertion takes longer than all the rest.
        if (bytes !== byLine.line(one) || end - 11 > room) {
          expect(bytes).toBe(byLine.line(one));
          expect(end - 11).toBeLessThanOrEqual(room);
        }
      }
    }
    // Most rows go the short way, and none of those that need quotes or an apostrophe.
    expect(written).toBeGreaterThan((lines.length * zones.length) / 2);
  });

  it('a row with a text that needs more than copying is left to the line writer', () => {
    const writer = createStatementWriter('csv', headOf('BRL', lines, 0, 'UTC'), {
      ...{ locale, hasByteOrderMark: false },
    });
    const { row, read } = createRowReader();
    for (const text of ['=1+1', '+1', '-1', '@x', '\tx', '\rx', 'a "b"', 'a\nb', 'a;b,c']) {
      for (const one of [
        { ...line, description: text },
        { ...line, contraAccount: `merchant:${text}` },
      ]) {
        readRow(read, one);
        expect(writer.rows!.write(row, Buffer.alloc(1_000), 0)).toBe(-1);
      }
    }
  });
});
