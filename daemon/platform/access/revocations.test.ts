import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { accessTokenLifeMs, clockStepMs } from '../../../core/time/stored-times.ts';
import { createLog } from '../log.ts';
import { createRevocations, type Revocation, type Revocations } from './revocations.ts';

const startMs = Date.UTC(2026, 10, 22, 12);
const minuteMs = 60_000;
const session = (id: string) => ({
  ...{ userId: 'u', sessionId: id, issuedAtMs: startMs, generation: 0 },
});

/** A row of the table that the feed reads: its transaction commits some time after its time. */
type Row = Revocation & { readonly committedAtMs: number };

let rows: Row[];
let asked: (number | undefined)[];
let isAway: boolean;
let revocations: Revocations;

beforeEach(() => {
  vi.useFakeTimers({ now: startMs });
  [rows, asked, isAway] = [[], [], false];
  revocations = createRevocations({
    log: createLog('silent'),
    feed: (sinceMs) => {
      asked.push(sinceMs);
      if (isAway) return Promise.reject(new Error('the auth service is unavailable'));
      const isSeen = ({ revokedAtMs, committedAtMs }: Row): boolean =>
        committedAtMs <= Date.now() && revokedAtMs >= (sinceMs ?? -Infinity);
      const answer = { revocations: rows.filter(isSeen), asOfMs: Date.now() };
      return Promise.resolve({ ...answer, isStaffTotpRequired: false });
    },
  });
});

afterEach(() => {
  revocations.stop();
  vi.useRealTimers();
});

const revoke = (id: string, committedAfterMs: number): void => {
  const revokedAtMs = Date.now();
  rows.push({ kind: 'session', id, revokedAtMs, committedAtMs: revokedAtMs + committedAfterMs });
};

it('a revocation that is committed 50 s after its time is applied', async () => {
  await revocations.start();
  await vi.advanceTimersByTimeAsync(10_000);
  revoke('slow', 50_000);
  revoke('fast', 0);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(revocations.isRevoked(session('fast'))).toBe(true);
  expect(revocations.isRevoked(session('slow'))).toBe(false);
  await vi.advanceTimersByTimeAsync(50_000);
  expect(revocations.isRevoked(session('slow'))).toBe(true);
  expect(revocations.isRevoked(session('other'))).toBe(false);
});

it('each look asks from a minute before the last answer, and the first for everything', async () => {
  await revocations.start();
  await vi.advanceTimersByTimeAsync(1_000);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(asked).toEqual([undefined, startMs - minuteMs, startMs + 1_000 - minuteMs]);
});

it('after looks without an answer, what was revoked meanwhile is asked for', async () => {
  await revocations.start();
  isAway = true;
  await vi.advanceTimersByTimeAsync(2_000);
  revoke('meanwhile', 0);
  await vi.advanceTimersByTimeAsync(5 * minuteMs);
  expect(new Set(asked.slice(1))).toEqual(new Set([startMs - minuteMs]));
  isAway = false;
  await vi.advanceTimersByTimeAsync(1_000);
  expect(revocations.isRevoked(session('meanwhile'))).toBe(true);
  expect(revocations.isFresh()).toBe(true);
});

it('the feed counts as fresh for 5 s after the last look that was answered', async () => {
  await revocations.start();
  isAway = true;
  await vi.advanceTimersByTimeAsync(4_999);
  expect(revocations.isFresh()).toBe(true);
  await vi.advanceTimersByTimeAsync(1);
  expect(revocations.isFresh()).toBe(false);
});

it('a revocation is kept for as long as a token that it concerns can live', async () => {
  await revocations.start();
  revoke('ended', 0);
  await vi.advanceTimersByTimeAsync(1_000);
  rows = [];
  await vi.advanceTimersByTimeAsync(accessTokenLifeMs + clockStepMs);
  expect(revocations.isRevoked(session('ended'))).toBe(true);
  // Not for ever: the memory for revocations has a bound.
  await vi.advanceTimersByTimeAsync(6 * minuteMs);
  expect(revocations.isRevoked(session('ended'))).toBe(false);
});

it('of several pages the time of the first one counts for the next look', async () => {
  const sinces: (number | undefined)[] = [];
  const paged = createRevocations({
    log: createLog('silent'),
    feed: (sinceMs, pageToken) => {
      sinces.push(sinceMs);
      const isFirst = pageToken === '';
      const id = isFirst ? 'on the first' : 'on the second';
      return Promise.resolve({
        revocations: [{ kind: 'session' as const, id, revokedAtMs: startMs }],
        // The pages are read one after the other.
        asOfMs: isFirst ? startMs : startMs + 30_000,
        isStaffTotpRequired: false,
        nextPageToken: isFirst ? 'second' : '',
      });
    },
  });
  await paged.start();
  await vi.advanceTimersByTimeAsync(1_000);
  paged.stop();
  expect(sinces).toEqual([undefined, undefined, startMs - minuteMs, startMs - minuteMs]);
  expect(paged.isRevoked(session('on the first'))).toBe(true);
  expect(paged.isRevoked(session('on the second'))).toBe(true);
});

it('a revocation of a user voids tokens of earlier generations, or issued until then', () => {
  const token = (change: object) => ({ ...session('s'), ...change });
  revocations.apply({ kind: 'user', id: 'u', revokedAtMs: startMs, generation: 3 });
  expect(revocations.isRevoked(token({ generation: 2, issuedAtMs: startMs + 1 }))).toBe(true);
  expect(revocations.isRevoked(token({ generation: 3, issuedAtMs: startMs - 1 }))).toBe(false);
  revocations.apply({ kind: 'user', id: 'v', revokedAtMs: startMs });
  expect(revocations.isRevoked(token({ userId: 'v', issuedAtMs: startMs }))).toBe(true);
  expect(revocations.isRevoked(token({ userId: 'v', issuedAtMs: startMs + 1 }))).toBe(false);
  // One that arrives late takes nothing back.
  revocations.apply({ kind: 'user', id: 'v', revokedAtMs: startMs - 1 });
  expect(revocations.isRevoked(token({ userId: 'v', issuedAtMs: startMs }))).toBe(true);
});

it('a change of a user is dated when it became known here, and not by what comes again', async () => {
  revocations.apply({ kind: 'user', id: 'u', revokedAtMs: startMs, generation: 1 });
  const changedAt = revocations.userChangedAt('u');
  await vi.advanceTimersByTimeAsync(1_000);
  revocations.apply({ kind: 'user', id: 'u', revokedAtMs: startMs, generation: 1 });
  expect(revocations.userChangedAt('u')).toBe(changedAt);
  revocations.apply({ kind: 'user', id: 'u', revokedAtMs: startMs + 1, generation: 2 });
  expect(revocations.userChangedAt('u')).toBe((changedAt ?? 0) + 1_000);
});
