import { randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { createKnownUsers } from './users.ts';

/** An auth service that knows these users, notes what it is asked, and answers when it is let. */
function createAuth(existing: ReadonlySet<string>, { isHeld = false } = {}) {
  const calls: (readonly string[])[] = [];
  const held: (() => void)[] = [];
  return {
    calls,
    release: () => held.splice(0).forEach((answer) => answer()),
    findUsers: async (ids: readonly string[]) => {
      calls.push(ids);
      const found = new Set(ids.filter((id) => existing.has(id)));
      if (isHeld) await new Promise<void>((resolve) => held.push(resolve));
      return found;
    },
  };
}

const ids = (count: number) => Array.from({ length: count }, () => randomUUID());
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('known users', () => {
  it('concurrent checks of users need one call to auth, and found users are cached', async () => {
    const users = ids(300);
    const auth = createAuth(new Set(users));
    const known = createKnownUsers(auth.findUsers);
    const asked = [...users, ...users];
    const results = await Promise.all(asked.map((id) => known.check(id)));
    expect(results.every((result) => result.ok)).toBe(true);
    expect(auth.calls.map((call) => call.length)).toEqual([300]);
    expect(await known.findUnknown(users)).toEqual(new Set());
    expect(auth.calls).toHaveLength(1);
  });

  it('the auth service is asked for 2,500 users in calls of 1,000, one at a time', async () => {
    const unknownIds = ids(2_500);
    const auth = createAuth(new Set(), { isHeld: true });
    const known = createKnownUsers(auth.findUsers);
    const answers = Promise.all(unknownIds.map((id) => known.check(id)));
    for (let sent = 1; sent <= 3; sent += 1) {
      await turn();
      await turn();
      expect(auth.calls).toHaveLength(sent);
      auth.release();
    }
    const reasons = (await answers).map((result) => !result.ok && result.rejection.reason);
    expect(new Set(reasons)).toEqual(new Set(['USER_NOT_FOUND']));
    expect(auth.calls.map((call) => call.length)).toEqual([1_000, 1_000, 500]);
  });

  it('a user created during a call to auth is found by later callers', async () => {
    const [user = ''] = ids(1);
    const existing = new Set<string>();
    const auth = createAuth(existing, { isHeld: true });
    const known = createKnownUsers(auth.findUsers);
    const before = known.check(user);
    await turn();
    await turn();
    existing.add(user);
    const after = known.check(user);
    auth.release();
    expect(await before).toMatchObject({ rejection: { reason: 'USER_NOT_FOUND' } });
    await turn();
    auth.release();
    expect((await after).ok).toBe(true);
  });

  it('a failed call to auth fails all waiting callers, and later callers ask again', async () => {
    const users = ids(3);
    let isAway = true;
    const known = createKnownUsers((asked) =>
      isAway ? Promise.reject(new Error('away')) : Promise.resolve(new Set(asked)),
    );
    for (const result of await Promise.all(users.map((id) => known.check(id)))) {
      expect(result).toMatchObject({ rejection: { reason: 'AUTH_UNAVAILABLE' } });
    }
    await expect(known.findUnknown(users)).rejects.toThrow('away');
    isAway = false;
    expect(await known.findUnknown(users)).toEqual(new Set());
  });
});
