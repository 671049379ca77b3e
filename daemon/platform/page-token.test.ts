import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  cursorParts,
  decodePageToken,
  encodePageToken,
  maxPageBytes,
  pageSizeOf,
  takePage,
} from './page-token.ts';

const query = { userId: 'u', from: 1, seq: 5n };

const shape = { seq: cursorParts.seq, id: /^[a-z]$/ };
const cursor = { seq: '7', id: 'x' };

const reasonOf = (token: string, asked: object = query) => {
  const result = decodePageToken(asked, token, shape);
  return result.ok ? 'ok' : result.rejection.reason;
};

describe('page tokens', () => {
  it('a page token gives back the cursor for the same query', () => {
    const cursorArbitrary = fc.record({
      seq: fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }).map(String),
      id: fc.constantFrom('a', 'z'),
    });
    fc.assert(
      fc.property(cursorArbitrary, (given) => {
        const token = encodePageToken(query, given);
        expect(token).toMatch(/^[\w-]+$/);
        expect(decodePageToken(query, token, shape)).toEqual({ ok: true, value: { ...given } });
      }),
    );
  });

  it('an empty page token means the first page', () => {
    expect(decodePageToken(query, '', shape)).toEqual({ ok: true, value: undefined });
  });

  it.each([
    ['another user', { ...query, userId: 'v' }],
    ['another range', { ...query, from: 2 }],
    ['another int64', { ...query, seq: 6n }],
    ['one filter less', { userId: 'u', from: 1 }],
    ['one filter more', { ...query, to: 9 }],
  ])('a page token that is used with %s is refused as PAGE_TOKEN_INVALID', (_what, other) => {
    expect(reasonOf(encodePageToken(query, cursor), other)).toBe('PAGE_TOKEN_INVALID');
  });

  const crafted = (content: unknown) => Buffer.from(JSON.stringify(content)).toString('base64url');
  const [digest] = JSON.parse(
    Buffer.from(encodePageToken(query, {}), 'base64url').toString(),
  ) as string[];

  it.each([
    ['no base64', '%%%'],
    ['no JSON', Buffer.from('{').toString('base64url')],
    ['null', crafted(null)],
    ['a number', crafted(5)],
    ['an object', crafted({ digest })],
    ['an empty list', crafted([])],
    ['no cursor', crafted([digest])],
    ['a cursor of null', crafted([digest, null])],
    ['a cursor that is text', crafted([digest, 'id'])],
    ['a part left out', crafted([digest, { seq: '7' }])],
    ['a number for a part', crafted([digest, { ...cursor, seq: 7 }])],
    ['an object for a part', crafted([digest, { ...cursor, seq: { $gt: '' } }])],
    ['a part of another form', crafted([digest, { ...cursor, seq: '7; DROP' }])],
    ['a seq past int64', crafted([digest, { ...cursor, seq: '9'.repeat(19) }])],
    ['a line feed behind a part', crafted([digest, { ...cursor, seq: '7\n' }])],
    ['a cut', encodePageToken(query, cursor).slice(0, -4)],
  ])('a malformed page token is refused as PAGE_TOKEN_INVALID: %s', (_what, token) => {
    expect(reasonOf(token)).toBe('PAGE_TOKEN_INVALID');
  });

  it('any text as a page token is accepted or refused, without an exception', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.json().map(crafted)), (token) => {
        expect(['ok', 'PAGE_TOKEN_INVALID']).toContain(reasonOf(token));
      }),
    );
  });
});

describe('pageSizeOf', () => {
  it.each([
    [0, 50],
    [1, 1],
    [200, 200],
    [201, 200],
    [2_147_483_647, 200],
  ])('a requested page size of %i becomes %i', (asked, size) => {
    expect(pageSizeOf(asked, 50, 200)).toEqual({ ok: true, value: size });
  });

  it.each([-1, -2_147_483_648])('the page size %i is refused with INVALID_ARGUMENT', (asked) => {
    expect(pageSizeOf(asked, 50, 200)).toMatchObject({
      ok: false,
      rejection: { reason: 'INVALID_ARGUMENT', metadata: { field: 'page_size' } },
    });
  });
});

describe('takePage', () => {
  const itself = (bytes: number): number => bytes;
  const half = maxPageBytes / 2;

  it('a page has up to the requested number of items, and its last one if more follow', () => {
    expect(takePage([1, 2, 3], 2, itself)).toEqual({ page: [1, 2], last: 2 });
    expect(takePage([1, 2], 2, itself)).toEqual({ page: [1, 2], last: undefined });
    expect(takePage([], 2, itself)).toEqual({ page: [], last: undefined });
  });

  it('a page has as many items as fit in an answer, and at least one', () => {
    expect(takePage([half, half, 1], 9, itself)).toEqual({ page: [half, half], last: half });
    expect(takePage([9 * half, 1], 9, itself)).toEqual({ page: [9 * half], last: 9 * half });
    expect(takePage([9 * half], 9, itself)).toEqual({ page: [9 * half], last: undefined });
  });

  it('consecutive pages contain all items in order', () => {
    const all = Array.from({ length: 50 }, (_, i) => (i % 7) * 100_000);
    const found: number[] = [];
    for (let start = 0; start < all.length;) {
      const { page } = takePage(all.slice(start, start + 21), 20, itself);
      expect(page.length).toBeGreaterThan(0);
      found.push(...page);
      start += page.length;
    }
    expect(found).toEqual(all);
  });
});
