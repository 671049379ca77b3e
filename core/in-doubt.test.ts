import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import { resolvesInDoubt } from './in-doubt.ts';
import { reasonCodes } from './reasons.ts';

/** A row of docs/errors.md begins with: | `REASON` | `CODE` | */
const rowPattern = /^\|\s*`([A-Z_]+)`\s*\|\s*`([A-Z_]+)`\s*\|/gm;

it('of the reasons in docs/errors.md, only ledger refusals resolve an unknown outcome', () => {
  const text = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');
  const reasons = [...text.matchAll(rowPattern)].map(([, reason = '']) => reason);
  expect(reasons.length).toBe(Object.keys(reasonCodes).length);
  expect(reasons.filter(resolvesInDoubt).sort()).toEqual([
    'AMOUNT_MISMATCH',
    'BALANCE_LIMIT_EXCEEDED',
    'IDEMPOTENCY_KEY_REUSED',
    'INSUFFICIENT_FUNDS',
    'PARENT_ALREADY_UNDONE',
    'PARENT_NOT_FOUND',
    'PARENT_NOT_UNDOABLE',
    'UNDO_EXCEEDS_PARENT',
    'WALLET_CLOSED',
    'WALLET_FROZEN',
  ]);
});

it('an absent or unknown reason does not resolve an unknown outcome', () => {
  expect([undefined, '', 'A_NEW_REASON', 'toString'].filter(resolvesInDoubt)).toEqual([]);
});
