import { describe, expect, it } from 'vitest';

import { describeAddress, toAsciiDomain } from './addresses.ts';

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
  ])('toAsciiDomain maps %j to %j', (domain, ascii) => {
    expect(toAsciiDomain(domain)).toBe(ascii);
  });
});
