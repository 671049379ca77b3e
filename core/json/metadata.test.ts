import { expect, it } from 'vitest';

import { findMetadataProblem } from './metadata.ts';

const pairs = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, i) => [`k${i}`, 'v']));

it.each([
  {},
  pairs(16),
  { reference: 'NF-1042' },
  { ['k'.repeat(256)]: 'v'.repeat(256) },
  { 'dwelling.no': '' },
])('the ledger takes metadata that keeps the limits', (metadata) => {
  expect(findMetadataProblem(metadata)).toBeUndefined();
});

it.each([
  [pairs(17), undefined, 'at most 16 pairs'],
  [{ a: '', 'dw.expiresAt': '' }, 'dw.expiresAt', '"dw.expiresAt"'],
  [{ a: '', po: 'v'.repeat(257) }, 'po', 'a value of "po" that must have at most 256 characters'],
  [{ 'DW.x': '' }, 'DW.x', 'reserved'],
  [{ '': 'v' }, '', 'without a character'],
  [{ ' dw.x': '' }, ' dw.x', 'no space around it'],
  [{ '\u200bdw.x': '' }, '\u200bdw.x', 'no control character'],
  [{ 'po\n': '' }, 'po\n', 'no control character'],
  [{ 'e\u0301': '' }, 'e\u0301', 'no control character'],
  [{ po: '\0' }, 'po', 'NUL'],
  [{ po: '\ud800' }, 'po', 'valid Unicode'],
  [{ ['k'.repeat(257)]: '' }, `${'k'.repeat(64)}…`, 'at most 256 characters'],
  [{ ['\ud800'.repeat(65)]: '' }, `${'\ufffd'.repeat(64)}…`, 'valid Unicode'],
])('a problem of metadata names the key: case %#', (metadata, key, problem) => {
  const found = findMetadataProblem(metadata);
  expect(found).toMatchObject({ problem: expect.stringContaining(problem) as string });
  expect(found?.key).toBe(key);
});
