import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  canonicalText,
  decodeUtf8,
  findSecretProblem,
  findTextProblem,
  stripControls,
} from './text.ts';

describe('canonicalText', () => {
  it.each([
    ['decomposed letters', 'sala\u0301rio', 'sal\u00e1rio'],
    ['CRLF and CR as line ends', 'a\r\nb\rc\n\nd', 'a\nb\nc\n\nd'],
    ['blanks, tabs, no-break spaces and a BOM around', '\uFEFF\t ref 1\u00a0 \r\n', 'ref 1'],
    ['nothing but blanks', ' \t\u00a0', ''],
  ])('the canonical form of a text has one form of %s', (_what, text, expected) => {
    expect(canonicalText(text)).toBe(expected);
    expect(canonicalText(expected)).toBe(expected);
  });

  it('equivalent forms of any text have one canonical form, which is its own', () => {
    const unit = fc.constantFrom(
      'a',
      'e\u0301',
      '\u00e9',
      ' ',
      '\n',
      '\u00a0',
      '\u1100\u1161',
      '=',
    );
    fc.assert(
      fc.property(
        fc.string({ unit, maxLength: 40 }),
        fc.constantFrom('\r\n', '\r'),
        (text, end) => {
          const canonical = canonicalText(text);
          expect(canonicalText(canonical)).toBe(canonical);
          expect(canonicalText(text.normalize('NFD').replaceAll('\n', end))).toBe(canonical);
          expect(canonicalText(`${end} ${text}\u00a0`)).toBe(canonical);
        },
      ),
    );
  });

  it('a text far above every limit is not normalised, and stays too long', () => {
    const text = 'a' + '\u0301\u0323'.repeat(100_000);
    expect(findTextProblem(canonicalText(text), 500)).toContain('at most');
    expect(canonicalText(text)).toBe(text);
  });
});

describe('findTextProblem', () => {
  it.each(['', 'plain', 'line\nbreak', 'São Paulo', '日本', '😀', 'x'.repeat(20)])(
    'findTextProblem finds nothing wrong with %j',
    (text) => {
      expect(findTextProblem(text, 20)).toBeUndefined();
    },
  );

  it.each([
    ['a text that is too long', 'x'.repeat(21), 'at most 20 characters'],
    ['an emoji past the end, which takes two code units', `${'x'.repeat(19)}😀`, 'at most 20'],
    ['NUL, which Postgres cannot store', 'a\0b', 'NUL'],
    ['a high surrogate alone', 'a\ud83d', 'valid Unicode'],
    ['a low surrogate alone', '\ude00a', 'valid Unicode'],
    ['surrogates in the wrong order', '\ude00\ud83d', 'valid Unicode'],
  ])('findTextProblem names %s', (_what, text, problem) => {
    expect(findTextProblem(text, 20)).toContain(problem);
  });

  it('a text without a problem is unchanged after UTF-8 encoding', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        if (findTextProblem(text, 1_000) !== undefined) return;
        expect(Buffer.from(text, 'utf8').toString('utf8')).toBe(text);
        expect(text).not.toContain('\0');
      }),
    );
  });
});

describe('secrets', () => {
  it('two passwords that are taken have different bytes wherever they are different', () => {
    const texts = fc.string({ unit: 'binary', maxLength: 4 });
    fc.assert(
      fc.property(texts, texts, (one, other) => {
        if (one === other || findSecretProblem(one) !== undefined) return;
        expect(Buffer.from(one).equals(Buffer.from(other))).toBe(false);
      }),
    );
  });

  it.each([
    ['replaced bytes', 'se\ufffdor', 'UTF-8'],
    ['a lone surrogate', 'a\ud83d', 'UTF-8'],
    ['NUL, as UTF-16 has it', 'a\0b\0', 'UTF-16'],
  ])('findSecretProblem names %s', (_what, secret, problem) => {
    expect(findSecretProblem(secret)).toContain(problem);
  });

  it('decodeUtf8 drops a byte order mark, and refuses bytes that are not UTF-8', () => {
    expect(decodeUtf8(Buffer.from('\ufeffsecret'))).toBe('secret');
    expect(decodeUtf8(Buffer.from('señor', 'latin1'))).toBeUndefined();
    expect(decodeUtf8(Buffer.from('\ufeffsecret', 'utf16le'))).toBeUndefined();
  });
});

describe('stripControls', () => {
  it.each([
    ['a colour', 'a\u001b[31mred', 'a[31mred'],
    ['a title of the terminal', '\u001b]0;owned\u0007x', ']0;ownedx'],
    ['CR and LF', 'one\r\ntwo', 'onetwo'],
    ['tab, backspace and DEL', 'a\tb\bc\u007f', 'abc'],
    ['the one-byte CSI of C1', '\u009b31mx', '31mx'],
    ['an override of direction', 'a\u202egpj.exe', 'agpj.exe'],
    ['isolates', '\u2066a\u2067b\u2068c\u2069', 'abc'],
    ['marks of direction', '\u200ea\u200fb\u061c', 'ab'],
  ])('stripControls removes %s', (_what, text, stripped) => {
    expect(stripControls(text)).toBe(stripped);
  });

  it('stripControls leaves printable text of any script', () => {
    const text = 'Café “São João” — 日本 😀 עברית العربية ~!@#';
    expect(stripControls(text)).toBe(text);
  });

  it('stripControls leaves no control character and no bidi control', () => {
    const nasty = fc.string({
      unit: fc.integer({ min: 0, max: 0x20_70 }).map(String.fromCharCode),
    });
    fc.assert(
      fc.property(nasty, (text) => {
        expect(stripControls(text)).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
      }),
    );
  });
});

describe('limits of texts', () => {
  it.each([
    [1_024, true],
    [1_025, false],
  ])('a text of %i units is brought into its normal form: %j', (length, isNormalized) => {
    const text = `${'x'.repeat(length - 2)}e\u0301`;
    expect(canonicalText(text)).toBe(isNormalized ? text.normalize('NFC') : text);
  });

  it('white space around a text is not counted by that', () => {
    const text = `${'x'.repeat(1_022)}e\u0301`;
    expect(canonicalText(` ${text}\r\n`)).toBe(text.normalize('NFC'));
  });

  it.each([
    ['a', 'a'],
    [' a', 'a'],
    ['a ', 'a'],
    [' ', ''],
    ['a b', 'a b'],
    ['a\tb', 'a\tb'],
    ['a\u007f', 'a\u007f'],
    ['a\r\n', 'a'],
    ['a\rb\r', 'a\nb'],
  ])('the canonical form of %j is %j', (text, canonical) => {
    expect(canonicalText(text)).toBe(canonical);
  });
});

it('a secret that is well-formed text has no problem', () => {
  for (const secret of ['', 'correct horse', 'señor', '😀', 'a\nb']) {
    expect(findSecretProblem(secret)).toBeUndefined();
  }
});
