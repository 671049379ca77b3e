import type { Random } from './random.ts';

/** Texts that have broken programs before. */
const nastyTexts: readonly string[] = [
  '',
  ' ',
  '\0',
  'a\0b',
  '\ud800',
  '\udc00x',
  '\ufeff',
  '\u202e\u2066',
  '\u001b[2J\u001b]0;x\u0007',
  '\r\n',
  'a\r\nSet-Cookie: x',
  "'; DROP TABLE transactions; --",
  "' OR '1'='1",
  '%',
  '_',
  '$1',
  '${jndi:ldap://127.0.0.1/x}',
  '{{7*7}}',
  '../../../../etc/passwd',
  'file:///etc/passwd',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  'null',
  'undefined',
  'true',
  'NaN',
  'Infinity',
  '-Infinity',
  '[object Object]',
  '{}',
  '[]',
  '"',
  '\\',
  '`',
  '=1+1',
  '@SUM(A1)',
  '\tx',
  '🧾',
  'é'.normalize('NFD'),
  '\u0301'.repeat(50),
  'ﷺ',
  'İ',
  'ß',
  'a'.repeat(256),
  'a'.repeat(1_025),
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  '5AA80F22-6EFA-4BFD-9A2B-2C2AC937D82B',
  '5aa80f22-6efa-4bfd-9a2b-2c2ac937d82b',
  'dwk_x',
  'dws_x',
  'eyJhbGciOiJub25lIn0.e30.',
];

const nastyNumbers: readonly string[] = [
  '0',
  '-0',
  '-1',
  '1',
  '1.0',
  '01',
  '1.',
  '.5',
  '+1',
  '1e3',
  '1E-2',
  '1,5',
  '1_000',
  '0x10',
  '1.999',
  '0.001',
  '1.00000000000000000000',
  '٣',
  '１',
  '999999999999999999',
  '1000000000000000000',
  '9007199254740993',
  '9223372036854775807',
  '9223372036854775808',
  '-9223372036854775808',
  '18446744073709551616',
  '9'.repeat(400),
];

const nastyTimes: readonly string[] = [
  '2026-11-22',
  '2026-02-30',
  '0000-01-01',
  '0001-01-01',
  '9999-12-31',
  '10000-01-01',
  '2026-11-22T24:00:00Z',
  '2026-11-22T23:59:60Z',
  '2026-11-22T18:00',
  '2026-11-22T18:00:00.123456789-03:00',
  '2026-11-22T18:00:00+99:99',
  '1970-01-01T00:00:00Z',
];

const fragments = [
  'a',
  'Z',
  '0',
  '9',
  '.',
  '-',
  '@',
  '+',
  ':',
  '/',
  ' ',
  '\u0301',
  '\u200b',
  '😀',
  '\n',
];

/** A text of one sort or another, sometimes harmless and sometimes not. */
export function anyText(random: Random): string {
  switch (random.int(6)) {
    case 0:
      return random.pick(nastyTexts);
    case 1:
      return random.pick(nastyNumbers);
    case 2:
      return random.pick(nastyTimes);
    case 3:
      return random.bytes(random.int(24)).toString(random.chance(50) ? 'latin1' : 'utf8');
    case 4:
      return Array.from({ length: random.int(40) }, () => random.pick(fragments)).join('');
    default:
      return String.fromCharCode(
        ...Array.from({ length: random.int(12) }, () => random.int(0x1_0000)),
      );
  }
}

/** A text near this one: something put in, taken out, doubled or exchanged. */
export function mutateText(random: Random, text: string): string {
  const at = random.int(text.length + 1);
  const until = Math.min(text.length, at + 1 + random.int(6));
  switch (random.int(6)) {
    case 0:
      return text.slice(0, at) + anyText(random) + text.slice(at);
    case 1:
      return text.slice(0, at) + text.slice(until);
    case 2:
      return text.slice(0, until) + text.slice(at);
    case 3:
      return text.slice(0, at) + random.pick(fragments) + text.slice(until);
    case 4:
      return anyText(random);
    default:
      return text.slice(0, at);
  }
}

/** Bytes near these. */
export function mutateBytes(random: Random, bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  const at = random.int(copy.length + 1);
  switch (random.int(5)) {
    case 0:
      if (at < copy.length) copy[at] = (copy[at] ?? 0) ^ (1 << random.int(8));
      return copy;
    case 1:
      if (at < copy.length) copy[at] = random.pick([0, 0x7f, 0x80, 0xff, random.int(256)]);
      return copy;
    case 2:
      return Buffer.concat([
        copy.subarray(0, at),
        random.bytes(1 + random.int(8)),
        copy.subarray(at),
      ]);
    case 3:
      return copy.subarray(0, at);
    default:
      return Buffer.concat([copy, copy.subarray(at)]);
  }
}
