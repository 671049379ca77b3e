import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { createRevocations, type Revocation, type RevocationFeed } from './revocations.ts';

const startMs = Date.UTC(2026, 10, 22, 12);
const minuteMs = 60_000;
type Answer = Awaited<ReturnType<RevocationFeed>>;

let warnings: string[];
let looks: number;

beforeEach(() => {
  vi.useFakeTimers({ now: startMs });
  [warnings, looks] = [[], 0];
});
afterEach(() => vi.useRealTimers());

const pass = (durationMs: number): Promise<unknown> => vi.advanceTimersByTimeAsync(durationMs);
const log = {
  warn: (fields: { err: Error }, message: string) =>
    void warnings.push(`${message}: ${fields.err.message}`),
} as never;

const create = (answer: (look: number) => Partial<Answer> | Promise<Partial<Answer>>) =>
  createRevocations({
    log,
    feed: async () => ({
      ...{ revocations: [], asOfMs: startMs, isStaffTotpRequired: false },
      ...(await answer((looks += 1))),
    }),
  });

const after = <T>(durationMs: number, value: T): Promise<T> =>
  new Promise((resolve) => setTimeout(() => resolve(value), durationMs));

describe('the clock of the feed', () => {
  it('before the first answer it is that of the host, and then that of the database', async () => {
    const revocations = create(() => ({ asOfMs: startMs + 7 * minuteMs }));
    await pass(123);
    expect(revocations.nowMs()).toBe(startMs + 123);
    await revocations.start();
    expect(revocations.nowMs()).toBe(startMs + 7 * minuteMs);
    await pass(250);
    expect(revocations.nowMs()).toBe(startMs + 7 * minuteMs + 250);
    revocations.stop();
  });

  it('an answer is as old as the look that brought it', async () => {
    const revocations = create(() => after(300, { asOfMs: startMs }));
    const started = revocations.start();
    await pass(300);
    await started;
    expect(revocations.nowMs()).toBe(startMs + 300);
    revocations.stop();
  });
});

describe('looks at the feed', () => {
  it('one follows a second after the other, and none after a stop', async () => {
    const revocations = create(() => ({}));
    await revocations.start();
    expect(looks).toBe(1);
    await pass(999);
    expect(looks).toBe(1);
    await pass(1);
    expect(looks).toBe(2);
    revocations.stop();
    await pass(10_000);
    expect(looks).toBe(2);
  });

  it('a stop during a look is the end, too', async () => {
    const revocations = create(() => after(500, {}));
    const started = revocations.start();
    await pass(100);
    revocations.stop();
    await pass(10_000);
    await started;
    expect(looks).toBe(1);
  });

  it('a look of more than a second is followed at once, and a shorter one is not', async () => {
    const revocations = create((look) => after(look === 1 ? 1_001 : 1_000, {}));
    const started = revocations.start();
    await pass(1_001);
    await started;
    await pass(1);
    expect(looks).toBe(2);
    await pass(1_000);
    expect(looks).toBe(2);
    await pass(990);
    expect(looks).toBe(2);
    await pass(20);
    expect(looks).toBe(3);
    revocations.stop();
  });

  it('a look that fails is reported, and tried again a second later, however long it took', async () => {
    const revocations = create(async (look) => {
      if (look > 1) return {};
      await after(3_000, undefined);
      throw new Error('it is unavailable');
    });
    const started = revocations.start();
    await pass(3_000);
    await started;
    expect(warnings).toEqual(['the feed of revocations is unavailable: it is unavailable']);
    expect([looks, revocations.isFresh()]).toEqual([1, false]);
    await pass(999);
    expect(looks).toBe(1);
    await pass(1);
    expect([looks, revocations.isFresh()]).toEqual([2, true]);
    expect(warnings).toHaveLength(1);
    revocations.stop();
  });

  it('after a first look of 5 s the start waits for a second one', async () => {
    const revocations = create((look) => after(look === 1 ? 5_000 : 100, {}));
    let isStarted = false;
    void revocations.start().then(() => (isStarted = true));
    await pass(5_000);
    expect([isStarted, revocations.isFresh()]).toEqual([false, false]);
    await pass(100);
    expect([isStarted, revocations.isFresh(), looks]).toEqual([true, true, 2]);
    // One sequence of looks goes on, not two.
    await pass(1_000);
    expect(looks).toBe(3);
    revocations.stop();
  });

  it('after a first look of less than that it does not', async () => {
    const revocations = create(() => after(4_999, {}));
    let isStarted = false;
    void revocations.start().then(() => (isStarted = true));
    await pass(4_999);
    expect([isStarted, looks]).toEqual([true, 1]);
    revocations.stop();
  });
});

describe('what the feed says', () => {
  it('the setting STAFF_TOTP of the auth service is known once it was said', async () => {
    const revocations = create((look) => ({ isStaffTotpRequired: look === 1 }));
    expect(revocations.isStaffTotpRequired()).toBe(false);
    await revocations.start();
    expect(revocations.isStaffTotpRequired()).toBe(true);
    await pass(1_000);
    expect(revocations.isStaffTotpRequired()).toBe(false);
    revocations.stop();
  });

  it('a key, a session and a user of the same id are three', () => {
    const revocations = create(() => ({}));
    const isRevoked = () => [
      revocations.isKeyRevoked('x'),
      revocations.isRevoked({ userId: 'y', sessionId: 'x', issuedAtMs: 5, generation: 1 }),
      revocations.isRevoked({ userId: 'x', sessionId: 'y', issuedAtMs: 5, generation: 1 }),
    ];
    const apply = (kind: Revocation['kind']) =>
      revocations.apply({ kind, id: 'x', revokedAtMs: 5 });
    expect(isRevoked()).toEqual([false, false, false]);
    apply('api-key');
    expect(isRevoked()).toEqual([true, false, false]);
    apply('session');
    expect(isRevoked()).toEqual([true, true, false]);
    apply('user');
    expect(isRevoked()).toEqual([true, true, true]);
  });

  it('a user of whom nothing is known has not changed, and one by time has', async () => {
    const revocations = create(() => ({}));
    expect(revocations.userChangedAt('u')).toBeUndefined();
    await pass(70);
    revocations.apply({ kind: 'user', id: 'u', revokedAtMs: 5 });
    const changedAt = performance.now();
    await pass(70);
    expect(revocations.userChangedAt('u')).toBe(changedAt);
    // The same again, and an earlier one, are no change.
    revocations.apply({ kind: 'user', id: 'u', revokedAtMs: 5 });
    revocations.apply({ kind: 'user', id: 'u', revokedAtMs: 4 });
    expect(revocations.userChangedAt('u')).toBe(changedAt);
    revocations.apply({ kind: 'user', id: 'u', revokedAtMs: 6 });
    expect(revocations.userChangedAt('u')).toBe(changedAt + 70);
  });

  it('a revocation is forgotten 35 minutes after it was last heard of, and not before', async () => {
    const revocations = create((look) => ({
      revocations: look === 1 ? [{ kind: 'api-key', id: 'k', revokedAtMs: startMs }] : [],
    }));
    await revocations.start();
    await pass(35 * minuteMs);
    expect(revocations.isKeyRevoked('k')).toBe(true);
    await pass(1_000);
    expect(revocations.isKeyRevoked('k')).toBe(false);
    revocations.stop();
  });
});
