import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { roles } from '../../core/roles.ts';
import { outcomeOfResult, specify } from '../../tests/support/ledger/decider-spec.ts';
import {
  canonicalizeCode,
  canonicalizeEmail,
  canonicalizePassword,
  decideRefresh,
  decideUserChange,
  formatCode,
  guessLimit,
  mayCreate,
  normalizePassword,
  type PresentedToken,
  refreshGraceMs,
  sessionLifeMs,
  signUpMailLimit,
  sourceLimit,
  accountLimit,
  pairLimit,
  type User,
} from './domain.ts';

const nowMs = Date.UTC(2026, 10, 22);

describe('canonicalizeEmail', () => {
  it.each([
    ['alice@example.com', 'alice@example.com'],
    ['Alice@Example.COM', 'alice@example.com'],
    ['  alice@example.com\n', 'alice@example.com'],
    ['alice+tag@sub.example.com', 'alice+tag@sub.example.com'],
    ["o'brien@example.com", "o'brien@example.com"],
    ['jose\u0301@example.com', 'josé@example.com'],
    ['JOS\u00c9@example.com', 'josé@example.com'],
    ['root@localhost', 'root@localhost'],
    ['用户@xn--fsqu00a.example', '用户@xn--fsqu00a.example'],
  ])('canonicalizeEmail turns %j into %j', (text, email) => {
    expect(canonicalizeEmail(text)).toEqual({ ok: true, value: email });
  });

  it.each([
    '',
    'alice',
    '@example.com',
    'alice@',
    'alice@@example.com',
    'alice@example..com',
    'alice@.example.com',
    'alice@example.com.',
    'alice@-example.com',
    'alice@example-.com',
    'alice@exa_mple.com',
    'alice bob@example.com',
    'alice@exam ple.com',
    'alice@example.com,bob@example.com',
    'Alice <alice@example.com>',
    '"alice"@example.com',
    'alice\r\nBcc: bob@example.com',
    'alice\u0000@example.com',
    'alice\u0007@example.com',
    'alice\u0085@example.com',
    '\ud83d@example.com',
    `${'a'.repeat(65)}@example.com`,
    `a@${'b'.repeat(252)}.c`,
  ])('canonicalizeEmail refuses %j', (text) => {
    expect(canonicalizeEmail(text)).toMatchObject({
      ok: false,
      rejection: { reason: 'EMAIL_INVALID', metadata: { field: 'email' } },
    });
  });

  it('a canonical address stays as it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }), (local) => {
        const once = canonicalizeEmail(`${local}@Example.com`);
        if (once.ok) expect(canonicalizeEmail(once.value)).toEqual(once);
      }),
      { numRuns: 1_000 },
    );
  });

  it('canonicalizeEmail refuses a text of a million characters', () => {
    const text = `a@${'a-'.repeat(500_000)}`;
    expect(canonicalizeEmail(text).ok).toBe(false);
  });
});

describe('untrusted text', () => {
  it.each([
    'a\u200bna@x.com',
    '\u202eana@x.com',
    'an\u00ada@x.com',
    '\u3164@x.com',
    '.a@x.com',
    'a..b@x.com',
    'a.@x.com',
  ])('an address that looks like another is refused: %j', (text) => {
    expect(canonicalizeEmail(text).ok).toBe(false);
  });

  it('a text of four million combining marks is refused as address and as password', () => {
    const marks = '\u0315'.repeat(2_000_000) + '\u0316'.repeat(2_000_000);
    expect(canonicalizePassword(marks).ok).toBe(false);
    expect(canonicalizeEmail(`${marks}@x.com`).ok).toBe(false);
    for (const text of [marks, 'a\ufffd']) expect(normalizePassword(text)).toBeUndefined();
  });
});

describe('changes of users', () => {
  const admin: User = {
    id: 'a',
    email: 'a@example.com',
    role: 'admin',
    isDisabled: false,
    isEmailVerified: true,
    createdAtMs: nowMs,
    hasTotp: false,
    tokenGeneration: 0,
  };
  type Change = Parameters<typeof decideUserChange>[2];
  type Users = { readonly user: User; readonly adminIds: readonly string[] };
  const { given } = specify<Users, Change, ReturnType<typeof decideUserChange>>({
    decide: ({ user, adminIds }, change) => decideUserChange(user, adminIds, change),
    outcomeOf: outcomeOfResult,
  });
  const demote = { role: 'operator', isDisabled: undefined } as const;
  const disable = { role: undefined, isDisabled: true };
  const enable = { role: undefined, isDisabled: false };

  it.each([
    ['demoting the only admin', admin, ['a'], demote, 'LAST_ADMIN'],
    ['disabling the only admin', admin, ['a'], disable, 'LAST_ADMIN'],
    ['demoting one of two admins', admin, ['a', 'b'], demote, 'accepted'],
    ['enabling the only admin', admin, ['a'], enable, 'accepted'],
    [
      'demoting an admin who is disabled',
      { ...admin, isDisabled: true },
      ['b'],
      demote,
      'accepted',
    ],
    ['disabling a customer', { ...admin, role: 'customer' as const }, ['b'], disable, 'accepted'],
  ])('%s is refused only if no enabled admin is left', (_what, user, adminIds, change, outcome) => {
    const { role = user.role, isDisabled = user.isDisabled } = change;
    const value = { ...user, role, isDisabled };
    const properties = outcome === 'accepted' ? { value } : {};
    given({ user, adminIds }).when(change).then(outcome, properties);
  });
});

describe('canonicalizePassword', () => {
  it.each([
    ['twelve characters', 'a'.repeat(12)],
    ['64 characters', 'a'.repeat(64)],
    ['256 characters', 'a'.repeat(256)],
    ['blanks and symbols', ' correct horse battery! '],
    ['no letter at all', '123456789012'],
    ['twelve emoji', '😀'.repeat(12)],
  ])('canonicalizePassword takes %s as they are', (_what, text) => {
    expect(canonicalizePassword(text)).toEqual({ ok: true, value: text });
  });

  it.each([
    ['nothing', ''],
    ['eleven characters', 'a'.repeat(11)],
    ['eleven emoji, though they are 22 code units', '😀'.repeat(11)],
    ['eleven letters with their accents apart', 'e\u0301'.repeat(11)],
    ['257 characters', 'a'.repeat(257)],
    ['NUL', `${'a'.repeat(12)}\0`],
    ['half a surrogate pair', `${'a'.repeat(12)}\ud83d`],
    ['a replaced byte', `${'a'.repeat(12)}\ufffd`],
  ])('canonicalizePassword refuses %s', (_what, text) => {
    const result = canonicalizePassword(text);
    expect(result).toMatchObject({ ok: false, rejection: { reason: 'PASSWORD_INVALID' } });
    if (text !== '') expect(JSON.stringify(result)).not.toContain(text.slice(0, 11));
  });

  it('canonicalizePassword gives composed and decomposed accents the same bytes', () => {
    const composed = 'pass phrase \u00e9\u00fc';
    const decomposed = 'pass phrase e\u0301u\u0308';
    expect(composed).not.toBe(decomposed);
    expect(canonicalizePassword(composed)).toEqual({ ok: true, value: composed });
    expect(canonicalizePassword(decomposed)).toEqual({ ok: true, value: composed });
    // A sign-in takes what was set, however it is typed.
    expect(normalizePassword(decomposed)).toBe(composed);
  });
});

describe('refresh tokens', () => {
  const { given } = specify<PresentedToken, number, ReturnType<typeof decideRefresh>>({
    decide: decideRefresh,
    outcomeOf: (decision) => decision,
  });
  const fresh: PresentedToken = {
    session: { id: 's', userId: 'u', expiresAtMs: nowMs + 1, revokedAtMs: undefined },
    isUserDisabled: false,
    usedAtMs: undefined,
    isSuccessorUsed: false,
  };
  const used = (agoMs: number, isSuccessorUsed = false): PresentedToken => ({
    ...fresh,
    usedAtMs: nowMs - agoMs,
    isSuccessorUsed,
  });
  const inSession = (
    presented: PresentedToken,
    change: Partial<PresentedToken['session']>,
  ): PresentedToken => ({ ...presented, session: { ...presented.session, ...change } });

  it.each([
    ['the first time', fresh, 'rotate'],
    ['again at once', used(0), 'repeat'],
    ['again at the end of the grace', used(refreshGraceMs), 'repeat'],
    ['again after the grace', used(refreshGraceMs + 1), 'revoke'],
    ['again after its successor was used', used(0, true), 'revoke'],
    ['long after its successor was used', used(refreshGraceMs + 1, true), 'revoke'],
    ['used while the clock was a day ahead', used(-86_400_000), 'revoke'],
    ['again after the clock stepped back by 2 s', used(-2_000), 'repeat'],
    [
      'of a session from a clock that was a day ahead',
      inSession(fresh, { expiresAtMs: nowMs + sessionLifeMs + 86_400_000 }),
      'refuse',
    ],
    [
      'after the clock stepped back by 10 minutes',
      inSession(fresh, { expiresAtMs: nowMs + sessionLifeMs + 600_000 }),
      'rotate',
    ],
    ['of a session that has expired', inSession(fresh, { expiresAtMs: nowMs }), 'refuse'],
    ['used, of a session that has expired', inSession(used(0), { expiresAtMs: nowMs }), 'refuse'],
    ['of a session that was ended', inSession(fresh, { revokedAtMs: nowMs - 1 }), 'refuse'],
    ['used, of a session that was ended', inSession(used(0), { revokedAtMs: 0 }), 'refuse'],
    ['of a disabled user', { ...fresh, isUserDisabled: true }, 'refuse'],
    ['used, of a disabled user', { ...used(0), isUserDisabled: true }, 'refuse'],
  ] as const)(
    'a refresh token presented %s is decided by its session and its earlier use',
    (_when, presented, decision) => {
      given(presented).when(nowMs).then(decision);
    },
  );
});

it.each([
  ['customer', []],
  ['operator', ['customer']],
  ['admin', ['customer', 'operator', 'admin']],
] as const)('a user with role %s may create users with roles %j', (creator, allowed) => {
  expect(roles.filter((role) => mayCreate(creator, role))).toEqual(allowed);
});

describe('limits of attempts', () => {
  it.each([
    ['one device or session', guessLimit, 5],
    ['one account from one network', pairLimit, 5],
    ['one account from everywhere', accountLimit, 5],
  ])(
    'wrong passwords at %s wait for 4 s at most, after five without a wait',
    (_of, limit, free) => {
      const waits = Array<number>(free - 1).fill(0);
      expect(limit.waitsMs).toEqual([...waits, 1_000, 2_000, 4_000]);
    },
  );

  it('a source waits after a hundred attempts; mails to an address stop after three', () => {
    expect(sourceLimit.waitsMs).toEqual([...Array<number>(99).fill(0), 1_000]);
    expect(signUpMailLimit.waitsMs).toEqual([0, 0, signUpMailLimit.forgetMs]);
  });
});

describe('mailed codes', () => {
  it('a mailed code holds all random bits, and is read in any case and spacing', () => {
    const zeros = formatCode(new Uint8Array(15));
    expect(zeros).toBe('0000-0000-0000-0000-0000-0000');
    const all = formatCode(new Uint8Array(15).fill(255));
    expect(all).toBe('ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ-ZZZZ');
    const one = Uint8Array.from({ length: 15 }, (_, i) => i * 17);
    for (let bit = 0; bit < 120; bit += 1) {
      const flipped = one.map((byte, i) => (i === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
      expect(formatCode(flipped)).not.toBe(formatCode(one));
    }
    const code = formatCode(one);
    for (const typed of [code, code.toLowerCase(), code.replaceAll('-', ' '), ` ${code}\n`]) {
      expect(canonicalizeCode(typed)).toBe(code);
    }
    expect(canonicalizeCode('oOiI-lL00-0000-0000-0000-0000')).toBe('0011-1100-0000-0000-0000-0000');
  });

  it.each(['', '0000', '0'.repeat(25), 'U000-0000-0000-0000-0000-0000', 'x'.repeat(10_000)])(
    'canonicalizeCode refuses %j',
    (text) => {
      expect(canonicalizeCode(text)).toBeUndefined();
    },
  );
});
