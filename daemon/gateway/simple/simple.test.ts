import { describe, expect, it } from 'vitest';

import { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { StatementLine } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { decorateSimpleProblem } from './problems.ts';
import { toSimpleLine } from './statement-lines.ts';
import { formatBalance } from './wallet.ts';

describe('a balance in JSON', () => {
  it.each([
    [0n, 'BRL', '0.00'],
    [5n, 'BRL', '0.05'],
    [15_999n, 'BRL', '159.99'],
    [-15_999n, 'BRL', '-159.99'],
    [1_234n, 'JPY', '1234'],
    [999_999_999_999_999_999n, 'BRL', '9999999999999999.99'],
    [123_456_789_012_345_678n, 'KWD', '123456789012345.678'],
  ])(
    '%i minor units of %s are written as the number %s, digit for digit',
    (minor, currency, text) => {
      const written = formatBalance({ balanceMinor: minor, currency });
      expect(written).toBe(
        `{"status":200,"balance":${text},"balanceText":"${text}","currency":"${currency}"}`,
      );
      expect(JSON.parse(written)).toMatchObject({ balance: Number(text), balanceText: text });
    },
  );
});

describe('a line of a statement', () => {
  const occurredAt = new Date('2023-07-10T01:30:00Z');
  const of = (currency: string, timezone: string, part: object) => {
    const line = StatementLine.fromPartial({ occurredAt, operation: Operation.DEPOSIT, ...part });
    return toSimpleLine({ currency, exponent: 2, timezone }, line);
  };

  it.each([
    [
      'a credit',
      'BRL',
      { creditMinor: 10_000n, balanceAfterMinor: 20_000n },
      'R$100.00',
      'R$200.00',
    ],
    ['a debit', 'BRL', { debitMinor: 1n, balanceAfterMinor: 0n }, 'R$0.01', 'R$0.00'],
    ['a balance below 0', 'USD', { debitMinor: 5n, balanceAfterMinor: -105n }, '$0.05', '-$1.05'],
    ['no symbol', 'CHF', { creditMinor: 100n, balanceAfterMinor: 100n }, 'CHF 1.00', 'CHF 1.00'],
  ])('%s is written with the symbol of its currency', (_what, currency, part, amount, balance) => {
    expect(of(currency, 'UTC', part)).toEqual({
      ...{ amount, balance },
      ...{ operation: 'deposit', date: '10/07/2023' },
    });
  });

  it('the day is that of the zone', () => {
    expect(of('BRL', 'America/Sao_Paulo', { creditMinor: 1n })).toMatchObject({
      date: '09/07/2023',
    });
  });
});

describe('a problem of the simple API', () => {
  const refused = { status: 400, detail: 'the wallet has 0.00 BRL' };
  it.each(['/auth/sign-in', '/wallet/balance?currency=BRL', '/statement/generate', '/wallet/none'])(
    'a problem of %s has its detail in a list too',
    (path) => {
      expect(decorateSimpleProblem(path, refused)).toEqual({ ...refused, error: [refused.detail] });
    },
  );

  it.each(['/v1/transactions', '/v1/wallet/balance', '/docs', '/wallets', '/'])(
    'a problem of %s is left as it is',
    (path) => {
      expect(decorateSimpleProblem(path, refused)).toBe(refused);
    },
  );

  it('401 has the members of the system after which the API is made', () => {
    const problem = { status: 401, detail: 'sign in' };
    expect(decorateSimpleProblem('/auth/me', problem)).toEqual({
      ...problem,
      ...{ error: ['sign in'], statusCode: 401, message: 'Unauthorized' },
    });
  });
});
