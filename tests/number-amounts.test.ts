import { Readable } from 'node:stream';

import fc from 'fast-check';
import { expect, it } from 'vitest';

import { checkRow } from '../cli/commands/batch/rows/check.ts';
import { readRows } from '../cli/commands/batch/rows/rows.ts';
import { formatMinor } from '../core/money.ts';
import { amountOf } from '../daemon/gateway/http/fields.ts';
import { parseJson } from '../core/json/json-text.ts';
import { readEmitted } from '../daemon/wallet/events/messages.ts';

const userId = '0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10';

/** What each entry makes of an amount that is a number in JSON: minor units, or why not. */
const entries = {
  batch: async (number: string): Promise<bigint | string> => {
    const line = `{"operation":"deposit","user":"${userId}","key":"k","amount":${number}}`;
    const options = { delimiter: ',', isPiped: false, isKeyNeeded: false };
    const input = Readable.from([Buffer.from(line)]);
    const { rows } = readRows(input, { format: 'ndjson', ...options });
    for await (const [raw] of rows) {
      if (!raw) continue;
      const defaults = { currency: 'BRL', user: undefined, isStaff: true };
      const row = checkRow(raw, { ...defaults, isKeyNeeded: true, isGroup: false });
      if ('reason' in row) return row.reason === 'AMOUNT_INVALID' ? row.message : row.reason;
      return row.amountMinor ?? 'no amount';
    }
    return 'no row';
  },
  message: (number: string): Promise<bigint | string> => {
    const data = `{"userId":"${userId}","transaction":{"operation":0,"amount":${number}}}`;
    const text = `{"pattern":"transaction_emitted","data":${data}}`;
    const body: unknown = JSON.parse(text);
    const read = readEmitted({ messageId: 'm', body, text, userId: undefined, headers: {} }, 'BRL');
    return Promise.resolve('kind' in read ? read.reason : (read.amountMinor ?? 'no amount'));
  },
  http: (number: string): Promise<bigint | string> => {
    const parsed = parseJson(`{"amount":${number}}`);
    if (!parsed.ok) return Promise.resolve(parsed.problem.kind);
    const read = amountOf((parsed.value as { amount: number }).amount, 'BRL');
    return Promise.resolve(read.ok ? (read.value ?? 'no amount') : read.fault.message);
  },
};

const names = Object.keys(entries) as (keyof typeof entries)[];

it.each(names)('%s refuses numbers that a double rounds, and books what it takes', async (name) => {
  const read = entries[name];
  for (const number of ['90071992547409.93', '9007199254740993', '0.1000000000000000055']) {
    expect(await read(number), number).toBeTypeOf('string');
  }
  for (const number of ['1e400', '1e-400', '1.999', '-1', '0', '1e21', '1e-3', '-0']) {
    expect(await read(number), number).toBeTypeOf('string');
  }
  expect(await read('1e2')).toBe(10_000n);
  expect(await read('1.50E1')).toBe(1_500n);
  expect(await read('35.5')).toBe(3_550n);
  expect(await read('100.000')).toBe(10_000n);
  expect(await read('9007199254740.93')).toBe(900_719_925_474_093n);
});

it('each entry books exactly what a number says, or nothing, and all of them the same', async () => {
  const minors = fc.bigInt({ min: 1n, max: 10n ** 18n });
  await fc.assert(
    fc.asyncProperty(minors, fc.constantFrom('', '0', '00'), async (minor, zeros) => {
      const number = formatMinor(minor, 2) + zeros;
      const digits = String(minor).replace(/0+$/, '').length;
      for (const name of names) {
        const booked = await entries[name](number);
        if (digits <= 15 && minor < 10n ** 18n) expect(booked, `${name} ${number}`).toBe(minor);
        else expect(booked, `${name} ${number}`).toBeTypeOf('string');
      }
    }),
    { seed: 7, numRuns: 500 },
  );
});
