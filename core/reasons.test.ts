import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { isReason, reasonCodes, refuse, succeed } from './reasons.ts';

/** A row of the tables in docs/errors.md begins with: | `REASON` | `CODE` | */
const rowPattern = /^\|\s*`([A-Z_]+)`\s*\|\s*`([A-Z_]+)`\s*\|/gm;

test('docs/errors.md documents every reason once, with its gRPC code, and no other', () => {
  const text = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(rowPattern)].map(([, reason = '', code = '']) => ({
    reason,
    code,
  }));
  const byReason = (a: { reason: string }, b: { reason: string }): number =>
    a.reason < b.reason ? -1 : 1;
  const expected = Object.entries(reasonCodes).map(([reason, code]) => ({ reason, code }));
  expect(rows.sort(byReason)).toEqual(expected.sort(byReason));
});

test('a name that every object has is no reason', () => {
  expect(['WALLET_BUSY', 'constructor', 'toString', ''].map(isReason)).toEqual([
    ...[true, false, false, false],
  ]);
});

test('a refusal has its metadata, and none where none is given', () => {
  expect(refuse('AMOUNT_INVALID', 'no', { field: 'amount' })).toEqual({
    ok: false,
    rejection: { reason: 'AMOUNT_INVALID', message: 'no', metadata: { field: 'amount' } },
  });
  expect(refuse('INTERNAL', 'no').rejection.metadata).toEqual({});
  expect(succeed(7)).toEqual({ ok: true, value: 7 });
});
