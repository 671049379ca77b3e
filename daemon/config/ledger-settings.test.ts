import { describe, expect, it } from 'vitest';

import { parseConfig, type Config } from './config.ts';

function accept(raw: Parameters<typeof parseConfig>[0]): Config {
  const outcome = parseConfig(raw);
  if (!outcome.ok) throw new Error(outcome.faults.join());
  return outcome.config;
}
const refuse = (raw: Parameters<typeof parseConfig>[0]): string => {
  const outcome = parseConfig(raw);
  return outcome.ok ? '' : outcome.faults.join();
};

describe('DEFAULT_LIMITS', () => {
  it('limits are read by currency, in its minor units', () => {
    const limits = {
      BRL: { perTransaction: '500.00', day: '2000', timezone: 'America/Sao_Paulo' },
      JPY: { month: '100000', rolling: [{ hours: 24, amount: '5000' }] },
    };
    const { defaultLimits } = accept({ DEFAULT_LIMITS: JSON.stringify(limits) });
    expect([...defaultLimits]).toEqual([
      ['BRL', { perTransactionMinor: 50_000n, dayMinor: 200_000n, timezone: 'America/Sao_Paulo' }],
      [
        'JPY',
        { monthMinor: 100_000n, rolling: [{ hours: 24, amountMinor: 5_000n }], timezone: 'UTC' },
      ],
    ]);
    expect(accept({}).defaultLimits.size).toBe(0);
  });

  it.each([
    ['no JSON', '{'],
    ['an unknown currency', '{"XXQ":{"day":"1.00"}}'],
    ['a negative amount', '{"BRL":{"day":"-1.00"}}'],
    ['too many decimals', '{"BRL":{"rolling":[{"hours":1,"amount":"1.001"}]}}'],
    ['an unknown zone', '{"BRL":{"day":"1.00","timezone":"Mars/Olympus"}}'],
    ['an unknown key', '{"BRL":{"daily":"1.00"}}'],
    ['a number for an amount', '{"BRL":{"day":1}}'],
    ['a window of no hours', '{"BRL":{"rolling":[{"hours":0,"amount":"1.00"}]}}'],
  ])('%s is refused', (_what, text) => {
    expect(refuse({ DEFAULT_LIMITS: text })).toContain('DEFAULT_LIMITS: ');
  });
});

describe('what is wrong with limits', () => {
  it.each([
    [
      'the same rolling hours twice',
      '"rolling":[{"hours":24,"amount":"1.00"},{"hours":24,"amount":"2.00"}]',
      '24 rolling hours',
    ],
    ['an unknown zone', '"timezone":"Mars/Olympus"', 'Mars/Olympus'],
    ['a key twice', '"day":"1.00","day":"2.00"', 'the key day twice'],
  ])('%s is refused, and named', (_what, fields, named) => {
    expect(refuse({ DEFAULT_LIMITS: `{"BRL":{${fields}}}` })).toContain(named);
  });

  it('a currency twice is refused', () => {
    const text = '{"BRL":{"day":"1.00"},"BRL":{"day":"2.00"}}';
    expect(refuse({ DEFAULT_LIMITS: text })).toContain('DEFAULT_LIMITS: has the key BRL twice');
  });
});

describe('holds and terms', () => {
  it('a hold lasts 7 days by default, 30 at most, and operators change terms', () => {
    expect(accept({})).toMatchObject({
      holdDays: { standard: 7, longest: 30 },
      isTermsForAdmins: false,
    });
    const set = { HOLD_DEFAULT_DAYS: '1', HOLD_MAX_DAYS: '366', TERMS_ROLE: 'admin' };
    expect(accept(set)).toMatchObject({
      holdDays: { standard: 1, longest: 366 },
      isTermsForAdmins: true,
    });
  });

  it('a default beyond the maximum and an unknown role are refused', () => {
    expect(refuse({ HOLD_MAX_DAYS: '6' })).toContain('HOLD_DEFAULT_DAYS: ');
    expect(refuse({ HOLD_MAX_DAYS: '0' })).toContain('HOLD_MAX_DAYS: ');
    expect(refuse({ TERMS_ROLE: 'customer' })).toContain('TERMS_ROLE: ');
  });
});
