import { describe, expect, it } from 'vitest';

import * as domain from './domain.ts';

const secondMs = 1_000;
const minuteMs = 60_000;
const hourMs = 3_600_000;
const dayMs = 86_400_000;

type Expected = {
  /** Attempts that are let through one after the other without a wait. */
  readonly free: number;
  /** The waits after that; the last stands for all further ones. */
  readonly waits: readonly number[];
  readonly forgetMs: number;
  readonly isConsecutive: boolean;
  readonly isOnlyReturned?: true;
};

const guesses = [secondMs, 2 * secondMs, 4 * secondMs];
const returned = { isConsecutive: true, isOnlyReturned: true } as const;
const inARow = { isConsecutive: true } as const;
/** Nothing more for as long as the attempts are remembered. */
const capped = (free: number, forgetMs: number): Expected => ({
  ...{ free, waits: [forgetMs], forgetMs, isConsecutive: false },
});

/** Independent of the code: docs/decisions/0050 gives the reasons. */
const limits: Readonly<Record<string, Expected>> = {
  guessLimit: { free: 5, waits: guesses, forgetMs: hourMs, ...inARow },
  pairLimit: { free: 5, waits: guesses, forgetMs: dayMs, ...returned },
  firstTriesLimit: { free: 5, waits: [500], forgetMs: hourMs, ...returned },
  accountLimit: { free: 5, waits: guesses, forgetMs: hourMs, ...returned },
  devicesLimit: { free: 20, waits: guesses, forgetMs: hourMs, ...returned },
  sourceLimit: { free: 100, waits: [secondMs], forgetMs: 10 * minuteMs, ...returned },
  signUpLimit: { free: 100, waits: [30 * secondMs], forgetMs: hourMs, isConsecutive: false },
  signUpMailLimit: capped(3, hourMs),
  accountSuccessLimit: capped(300, hourMs),
  sourceSuccessLimit: capped(3_000, hourMs),
  refreshLimit: { free: 100, waits: [minuteMs], forgetMs: hourMs, ...inARow },
  resetRequestLimit: capped(100, hourMs),
  resetMailLimit: capped(3, 30 * minuteMs),
  changeMailLimit: capped(3, 30 * minuteMs),
  changeRequestLimit: capped(10, hourMs),
  noticeLimit: capped(5, hourMs),
  recipientMissLimit: capped(20, hourMs),
  recipientHitLimit: capped(200, hourMs),
};

describe('limits of attempts', () => {
  it.each(Object.entries(limits))('%s lets as many through as it is meant to', (name, expected) => {
    const limit = domain[name as keyof typeof domain] as domain.AttemptLimit;
    const { free, waits, ...rest } = expected;
    const { waitsMs, ...others } = limit;
    expect(waitsMs).toEqual([...Array<number>(free - 1).fill(0), ...waits]);
    expect(others).toEqual(rest);
  });

  it('every limit of the domain is in this table', () => {
    const names = Object.entries(domain).filter(
      ([, value]) => typeof value === 'object' && 'waitsMs' in value,
    );
    expect(names.map(([name]) => name).sort()).toEqual(Object.keys(limits).sort());
  });
});

describe('times of sessions, codes and mails', () => {
  it('they are as documented', () => {
    expect(domain.sessionLifeMs).toBe(30 * dayMs);
    expect(domain.refreshGraceMs).toBe(10 * secondMs);
    expect(domain.codeLifeMs).toEqual({
      ...{ 'sign-up': dayMs, 'password-reset': 30 * minuteMs, 'email-change': 30 * minuteMs },
    });
    expect(domain.maxMailAgeMs).toBe(dayMs);
    expect(domain.firstTries).toBe(3);
  });

  it('a mail waits for 2 s after its first try, doubling up to ten minutes', () => {
    expect([1, 2, 3, 9, 10, 11, 1_000].map(domain.mailDelayMs)).toEqual([
      ...[2 * secondMs, 4 * secondMs, 8 * secondMs, 512 * secondMs],
      ...[10 * minuteMs, 10 * minuteMs, 10 * minuteMs],
    ]);
    expect(domain.maxMailDelayMs).toBe(20 * minuteMs);
  });
});

describe('mailed codes', () => {
  it('15 bytes are six groups of four letters that are not misread', () => {
    expect(domain.formatCode(new Uint8Array(15))).toBe('0000-0000-0000-0000-0000-0000');
    expect(domain.formatCode(new Uint8Array(15).fill(0xff))).toBe('ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ');
    const counted = Uint8Array.from({ length: 15 }, (_, i) => i * 17);
    expect(domain.formatCode(counted)).toMatch(
      /^([0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$/,
    );
  });

  it('a code as typed is read in its one form, and a text that is too long is none', () => {
    const code = '0123-4567-89AB-CDEF-GHJK-MNPQ';
    expect(domain.canonicalizeCode(` ${code.toLowerCase().replaceAll('-', ' ')} `)).toBe(code);
    expect(domain.canonicalizeCode(code.replace('0', 'o').replace('1', 'l'))).toBe(code);
    expect(domain.canonicalizeCode(code.slice(1))).toBeUndefined();
    expect(domain.canonicalizeCode(code.replace('A', 'U'))).toBeUndefined();
    const padding = ' '.repeat(100 - code.length);
    expect(domain.canonicalizeCode(`${code}${padding}`)).toBe(code);
    expect(domain.canonicalizeCode(`${code}${padding} `)).toBeUndefined();
  });
});

describe('passwords', () => {
  it.each([
    ['too short', 'x'.repeat(11)],
    ['too long', 'x'.repeat(2_000)],
    ['with bytes that are no UTF-8', `${'x'.repeat(20)}\ufffd`],
    ['longer than 256 characters', 'x'.repeat(257)],
  ])('a password that is %s is refused with its field', (_what, text) => {
    expect(domain.canonicalizePassword(text)).toMatchObject({
      rejection: { reason: 'PASSWORD_INVALID', metadata: { field: 'password' } },
    });
  });

  it('the answer says why a password is refused', () => {
    const problemOf = (text: string) => {
      const result = domain.canonicalizePassword(text);
      return result.ok ? '' : result.rejection.message;
    };
    expect(problemOf('x'.repeat(11))).toBe('password must have at least 12 characters');
    expect(problemOf('x'.repeat(257))).toBe('password must have at most 256 characters');
    expect(problemOf('x'.repeat(2_000))).toBe('password must have at most 256 characters');
    expect(problemOf(`${'x'.repeat(20)}\ufffd`)).toBe('password is not valid UTF-8');
  });

  it('a password has at most 1,024 units before it is brought into its normal form', () => {
    expect(domain.normalizePassword('x'.repeat(1_024))).toHaveLength(1_024);
    expect(domain.normalizePassword('x'.repeat(1_025))).toBeUndefined();
  });
});

it('the last admin who is to be changed is named', () => {
  const admin = { id: 'a', email: 'a@example.com', role: 'admin', isDisabled: false } as const;
  expect(
    domain.decideUserChange(admin as never, ['a'], { role: undefined, isDisabled: true }),
  ).toMatchObject({
    rejection: { reason: 'LAST_ADMIN', metadata: { userId: 'a', email: 'a@example.com' } },
  });
});
