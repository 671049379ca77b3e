import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { canonicalizeEmail } from './domain.ts';

describe('canonicalizeEmail, confusable addresses', () => {
  it.each([
    ['p\u0430ypal@example.com', 'Cyrillic а among Latin letters'],
    ['\u0430dmin@example.com', 'Cyrillic а before Latin letters'],
    ['\u03bfliver@example.com', 'Greek omicron among Latin letters'],
    ['用户a@example.com', 'Latin beside Han'],
    ['ana\u0661@example.com', 'an Arabic digit after Latin letters'],
    ['\u13a0\u13a1@example.com', 'Cherokee, which looks like Latin'],
    ['ana\u200d@example.com', 'a zero-width joiner'],
    ['ana\u202e@example.com', 'a bidirectional override'],
    ['ana\ufe0f@example.com', 'a variation selector'],
    ['ana\u034f@example.com', 'a combining grapheme joiner'],
    ['ana\u00ad@example.com', 'a soft hyphen'],
    ['ana\u115f@example.com', 'a Hangul filler'],
    ['ana\u{e0061}@example.com', 'a tag character'],
    ['ana\u2800@example.com', 'a blank Braille pattern'],
    ['a\u0301\u0301\u0301na@example.com', 'stacked combining marks'],
    ['\u0301ana@example.com', 'a mark without a base'],
    ['i\u0307da@example.com', 'a dot above an i'],
    ['\uff41na@example.com', 'a full-width letter'],
    ['\u{1d41a}na@example.com', 'a mathematical letter'],
    ['\ufb01n@example.com', 'a ligature'],
    ['an\u2010a@example.com', 'another hyphen'],
    ['ana\u02bc@example.com', 'a modifier apostrophe'],
    ['😀@example.com', 'a symbol'],
    ['ana@ex\u0430mple.com', 'mixed scripts in the domain'],
    ['ana@exam\u200dple.com', 'a joiner in the domain'],
  ])('canonicalizeEmail refuses %j: %s', (text) => {
    expect(canonicalizeEmail(text)).toMatchObject({
      ok: false,
      rejection: { reason: 'EMAIL_INVALID', metadata: { field: 'email' } },
    });
  });

  it.each([
    ['асе@example.com', 'асе@example.com'],
    ['ΝΊΚΟΣ@example.com', 'νίκος@example.com'],
    ['さくらサクラ桜ー@example.jp', 'さくらサクラ桜ー@example.jp'],
    ['민수@example.kr', '민수@example.kr'],
    ['राम.शर्मा_1@example.in', 'राम.शर्मा_1@example.in'],
    ['علي٣@example.com', 'علي٣@example.com'],
    ['nguyễn@example.vn', 'nguyễn@example.vn'],
    ['ana@bücher.example', 'ana@xn--bcher-kva.example'],
    ['ana@BÜCHER.example', 'ana@xn--bcher-kva.example'],
    ['ana@пример.example', 'ana@xn--e1afmkfd.example'],
  ])('an address in one script is accepted, its domain in ASCII: %j becomes %j', (text, email) => {
    expect(canonicalizeEmail(text)).toEqual({ ok: true, value: email });
  });

  it('canonicalizeEmail is idempotent, and gives NFKC without invisible characters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 12 }), (local) => {
        const once = canonicalizeEmail(`${local}@example.com`);
        if (!once.ok) return;
        expect(canonicalizeEmail(once.value)).toEqual(once);
        expect(once.value.normalize('NFKC')).toBe(once.value);
        expect(once.value).not.toMatch(/[\p{C}\p{Z}\p{Default_Ignorable_Code_Point}]/u);
      }),
    );
  });
});
