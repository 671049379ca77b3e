import type { Operation } from '../../../../core/operations.ts';
import { readInstant } from '../../../../core/time/time-text.ts';
import { readLifetime, type Expiry } from '../../shared/lifetime.ts';
import type { BatchColumn, Cells } from './raw-row.ts';

/** What a row says of a hold: when a new one ends, and what a capture leaves of it. */
type HoldCells = Expiry & { readonly keepsRest: boolean };

type Checked =
  | { readonly ok: true; readonly value: HoldCells }
  | { readonly ok: false; readonly field: BatchColumn; readonly message: string };

const nothing: Checked = {
  ok: true,
  value: { expiresInSeconds: undefined, expiresAt: undefined, keepsRest: false },
};

const bad = (field: BatchColumn, message: string): Checked => ({ ok: false, field, message });

const keepRestValues: Readonly<Record<string, boolean>> = { true: true, false: false };

/** Checks the columns expires_in, expires_at and keep_rest, and whom a hold is for. */
export function checkHoldCells(operation: Operation, cells: Cells): Checked {
  const { expires_in: lifetime, expires_at: end, keep_rest: keepRest, merchant, to, via } = cells;
  if (lifetime === undefined && end === undefined && keepRest === undefined) {
    if (operation !== 'hold') return nothing;
  }
  if (operation !== 'hold' && lifetime !== undefined) return bad('expires_in', holdsOnly);
  if (operation !== 'hold' && end !== undefined) return bad('expires_at', holdsOnly);
  if (operation !== 'capture' && keepRest !== undefined) {
    return bad('keep_rest', 'must be empty: only a capture can leave a rest');
  }
  const payees = [merchant, to, via].filter((payee) => payee !== undefined);
  if (operation === 'hold' && payees.length > 1) {
    return bad(to === undefined ? 'via' : 'to', 'must be empty: a hold is for one payee only');
  }
  if (lifetime !== undefined && end !== undefined) {
    return bad('expires_at', 'must be empty: expires_in says when the hold ends');
  }
  const lifetimeMs = lifetime === undefined ? undefined : readLifetime(lifetime);
  if (lifetime !== undefined && lifetimeMs === undefined) {
    return bad('expires_in', 'is not a length of time, like 30m, 12h, 7d or 2w');
  }
  const endMs = end === undefined ? undefined : readInstant(end);
  if (end !== undefined && endMs === undefined) {
    return bad('expires_at', 'is not a time with an offset, like 2026-11-29T12:00:00-03:00');
  }
  const keepsRest = keepRest === undefined ? false : keepRestValues[keepRest.toLowerCase()];
  if (keepsRest === undefined) return bad('keep_rest', 'must be true or false');
  return {
    ok: true,
    value: {
      expiresInSeconds: lifetimeMs === undefined ? undefined : lifetimeMs / 1_000,
      expiresAt: endMs === undefined ? undefined : new Date(endMs),
      keepsRest,
    },
  };
}

const holdsOnly = 'must be empty: only a hold ends by itself';
