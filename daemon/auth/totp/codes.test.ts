import { describe, expect, it } from 'vitest';

import {
  codeOfStep,
  createRecoveryCode,
  encodeBase32,
  findStep,
  readCode,
  stepAt,
  toUri,
} from './codes.ts';

/** RFC 6238, appendix B, for SHA-1: the codes there have 8 digits, of which ours are the last 6. */
const secret = Buffer.from('12345678901234567890');
const vectors = [
  [59, '94287082'],
  [1_111_111_109, '07081804'],
  [1_111_111_111, '14050471'],
  [1_234_567_890, '89005924'],
  [2_000_000_000, '69279037'],
  [20_000_000_000, '65353130'],
] as const;

describe('TOTP codes', () => {
  it.each(vectors)('the TOTP code at %i s is as in RFC 6238', (seconds, code) => {
    expect(codeOfStep(secret, stepAt(seconds * 1000))).toBe(code.slice(-6));
  });

  it('TOTP codes of the step before and after are accepted, and of no further step', () => {
    const nowMs = 1_111_111_111_000;
    const now = stepAt(nowMs);
    const found = [-2, -1, 0, 1, 2].map((offset) =>
      findStep(secret, codeOfStep(secret, now + offset), nowMs, undefined),
    );
    expect(found).toEqual([undefined, now - 1, now, now + 1, undefined]);
  });

  it('a TOTP code is accepted only if it is of a step after the last used one', () => {
    const nowMs = 1_111_111_111_000;
    const now = stepAt(nowMs);
    const find = (offset: number) => findStep(secret, codeOfStep(secret, now + offset), nowMs, now);
    expect([find(-1), find(0), find(1)]).toEqual([undefined, undefined, now + 1]);
  });
});

describe('encodeBase32', () => {
  it.each([
    ['fooba', 'MZXW6YTB'],
    ['12345678901234567890', 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'],
  ])('encodeBase32 of %s is as in RFC 4648', (text, encoded) => {
    expect(encodeBase32(Buffer.from(text))).toBe(encoded);
  });
});

describe('toUri', () => {
  it('toUri names issuer and account, and escapes both', () => {
    expect(toUri("o'neil&co+1@example.com", secret)).toBe(
      "otpauth://totp/Digital%20Wallet:o'neil%26co%2B1%40example.com" +
        '?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Digital%20Wallet' +
        '&algorithm=SHA1&digits=6&period=30',
    );
  });
});

describe('readCode', () => {
  it.each(['123456', ' 123 456\n', '123-456'])('readCode takes %j as six digits', (text) => {
    expect(readCode(text)).toEqual({ kind: 'totp', digits: '123456' });
  });

  it('readCode takes a recovery code in any case and spacing', () => {
    const { text, hash } = createRecoveryCode(Buffer.alloc(15, 0x08));
    expect(text).toMatch(/^[0-9A-HJKMNP-TV-Z]{4}(-[0-9A-HJKMNP-TV-Z]{4}){5}$/);
    const typed = text.toLowerCase().replaceAll('-', ' ').replaceAll('0', 'o').replaceAll('1', 'l');
    expect(readCode(typed)).toEqual({ kind: 'recovery', hash });
    expect(readCode(text)).toEqual({ kind: 'recovery', hash });
  });

  it.each(['', '12345', '1234567', '١٢٣٤٥٦', '12345a', 'x'.repeat(101), '7K3M-Q9XD'])(
    'readCode refuses %j',
    (text) => {
      expect(readCode(text)).toBeUndefined();
    },
  );
});
