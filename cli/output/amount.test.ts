import { expect, test } from 'vitest';

import { groupThousands } from './amount.ts';

test.each([
  ['0', '0'],
  ['999', '999'],
  ['1000', '1,000'],
  ['-1234567.89', '-1,234,567.89'],
  ['-100.00', '-100.00'],
  ['1234.5678', '1,234.5678'],
  ['0.12345', '0.12345'],
  ['9007199254740993.001', '9,007,199,254,740,993.001'],
])('%s is shown as %s', (decimal, text) => {
  expect(groupThousands(decimal)).toBe(text);
});
