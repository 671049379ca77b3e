import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { formatBody, formatExcerpt, formatJsonText } from './json-text.ts';

describe('formatted JSON', () => {
  test('JSON text is formatted as JSON.stringify formats its value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(4), (value, indent) => {
        expect(formatJsonText(JSON.stringify(value, null, indent))).toBe(
          JSON.stringify(value, null, 2),
        );
      }),
    );
  });

  test('formatted JSON keeps numbers, strings and repeated keys as they were written', () => {
    const text = '{"amount":10.10,"amount":12345678901234567890,"id":"\\u0041:{,}"}';
    expect(formatJsonText(text)).toBe(
      '{\n  "amount": 10.10,\n  "amount": 12345678901234567890,\n  "id": "\\u0041:{,}"\n}',
    );
  });

  test.each(['', '{', '{"a":1', 'hello', "{'a':1}"])('%j is not valid JSON', (text) => {
    expect(formatJsonText(text)).toBeUndefined();
  });
});

describe('message bodies', () => {
  test('a body that is not JSON keeps its lines, without control characters', () => {
    expect(formatBody('a\u001b[2J\r\n\tb\u009b31m\rc\u202ed\n')).toBe('a[2J\n  b31m\ncd\n\n');
  });

  test('a body that is JSON is formatted without control characters', () => {
    expect(formatBody('{"a":"\u202e\u009b"}')).toBe('{\n  "a": ""\n}\n');
  });

  test('an excerpt of a body is one line of at most 500 characters', () => {
    expect(formatExcerpt('{\n  "a": "\u001b[2J"\n}\n')).toBe('{ "a": "[2J" }');
    expect(formatExcerpt('x'.repeat(500))).toBe('x'.repeat(500));
    expect(formatExcerpt('x'.repeat(501))).toBe(`${'x'.repeat(499)}…`);
    expect(formatExcerpt(' '.repeat(3000))).toBe('…');
    expect(formatExcerpt(`${'x'.repeat(498)}\u{1f600}${'x'.repeat(9)}`)).toBe(
      `${'x'.repeat(498)}…`,
    );
  });
});
