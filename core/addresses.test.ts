import { describe, expect, it } from 'vitest';

import { canonicalizeEmail, describeAddress, toAsciiDomain } from './addresses.ts';

describe('describeAddress', () => {
  it.each([
    ['ana@example.com', 'ana@example.com'],
    ['асе@example.com', 'асе@example.com [Cyrillic]'],
    ['josé@example.com', 'josé@example.com [Latin, U+00E9]'],
    ['\u0131van@example.com', '\u0131van@example.com [Latin, U+0131]'],
    ['桜さくら@example.jp', '桜さくら@example.jp [Japanese]'],
    ['p\u0430ul@example.com', 'p\u0430ul@example.com [several scripts, U+0430]'],
    ['', ''],
  ])('describeAddress shows %s as %s', (email, shown) => {
    expect(describeAddress(email)).toBe(shown);
  });
});

describe('toAsciiDomain', () => {
  it.each([
    ['Example.com', 'Example.com'],
    ['bücher.example', 'xn--bcher-kva.example'],
    ['ex\u0430mple.com', undefined],
    ['bücher.example/x', undefined],
    ['bü\u200dcher.example', undefined],
    ['\uff45xample.com', undefined],
    ['', ''],
    ['bücher.ex\u0430mple', undefined],
    ['ex\u0430mple.bücher', undefined],
    ['bücher.example?x', undefined],
    ['bücher.example:80', undefined],
    ['user@bücher.example', undefined],
    ['bücher.example%2f', undefined],
  ])('toAsciiDomain maps %j to %j', (domain, ascii) => {
    expect(toAsciiDomain(domain)).toBe(ascii);
  });
});

describe('canonicalizeEmail', () => {
  const problemOf = (text: string): string => {
    const result = canonicalizeEmail(text);
    return result.ok ? 'none' : result.rejection.message;
  };

  it.each([
    ['ana\u200d@example.com', 'email has an invisible character (U+200D)'],
    ['ana\u{e0061}@example.com', 'email has an invisible character (U+E0061)'],
    ['😀@example.com', 'email may have letters and digits besides ASCII, and not U+1F600'],
    ['\uff41na@example.com', 'email has a character that stands for others'],
    ['a\u0301\u0301\u0301na@example.com', 'email has stacked or stray accents'],
    ['p\u0430ul@example.com', 'email mixes letters of several scripts'],
    ['ana', 'email must look like name@example.com'],
  ])('a refused address says what is wrong with it: %j', (text, problem) => {
    expect(problemOf(text)).toContain(problem);
  });

  it.each([
    ['a local part of 64 characters', `${'a'.repeat(64)}@example.com`, 'none'],
    ['a local part of 65', `${'a'.repeat(65)}@example.com`, 'email must look'],
    ['254 characters', `${'a'.repeat(60)}@${'b'.repeat(189)}.com`, 'none'],
    ['255 characters', `${'a'.repeat(60)}@${'b'.repeat(190)}.com`, 'email must look'],
    ['1,024 characters with blanks', `${' '.repeat(1_009)}ana@example.com`, 'none'],
    ['1,025 characters with blanks', `${' '.repeat(1_010)}ana@example.com`, 'email must look'],
  ])('an address has a longest form: %s', (_what, text, problem) => {
    expect(problemOf(text)).toContain(problem);
  });

  it('half a surrogate pair is no address, in either part', () => {
    for (const text of ['é\ud83d@example.com', 'ana@b\ud83dcher.example']) {
      expect(problemOf(text)).toContain('email must look like');
    }
  });
});
