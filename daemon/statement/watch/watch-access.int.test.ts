import { randomUUID } from 'node:crypto';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import type { Result } from '../../../core/reasons.ts';
import { readAudit } from '../../../tests/support/grpc/calls.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { makeLines } from '../../../tests/support/ledger/statement-model.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import type { VerifiedKey } from '../../platform/access/api-keys.ts';
import { createLog } from '../../platform/log.ts';
import type { Line } from '../domain.ts';
import {
  createStatementWorld,
  reasonOf,
  startMs,
  toLines,
  toMessage,
  userOf,
  type StatementWorld,
} from '../test-support.ts';
import { createProjection } from '../projection/projection.ts';
import { insertLines } from '../store.ts';
import { createWatchHub } from './hub.ts';
import { createWatchHandlers } from './rpcs.ts';
import { askWatch, openWatch } from './test-support.ts';

let database: TestDatabase;
let world: StatementWorld;
let statement: Awaited<ReturnType<StatementWorld['start']>>;
let ana: UserPrincipal;
let bia: UserPrincipal;
let olga: UserPrincipal;

beforeEach(async () => {
  database = await createTestDatabase('statement');
  world = createStatementWorld(database);
  ana = world.know(userOf());
  bia = world.know(userOf());
  olga = world.know(userOf('operator'));
  statement = await world.start();
  await storeEach((line) => line.seq <= 3n);
});
afterEach(async () => {
  await statement.stop();
  await database.drop();
});

/** Stores lines of each wallet, of four that it has. */
const storeEach = (isWanted: (line: Line) => boolean) =>
  database.db.tx(async (tx) => {
    for (const { userId } of [ana, bia]) {
      for (const currency of ['BRL', 'EUR']) {
        const lines = toLines(userId, currency, makeLines(4, 4, startMs));
        await insertLines(tx, lines.filter(isWanted));
      }
    }
  });

const refusalOf = (result: Result<unknown>) => (result.ok ? undefined : result.rejection);

/** The principal by an API key of theirs that is for one wallet. */
const withKey = (owner: UserPrincipal, walletId: string): UserPrincipal => ({
  ...owner,
  apiKey: {
    ...{ keyId: randomUUID(), userId: owner.userId, role: owner.role, hasOwnerTotp: false },
    ...{ scopes: ['statements:read'], walletId, operations: [], expiresAtMs: Infinity },
  } satisfies VerifiedKey,
});

/** Stores one more line for each wallet, and gives what a watch sends of them. */
async function watchNext(principal: UserPrincipal, userIds: string[], count: number) {
  const watch = await openWatch(statement, principal, { userIds });
  await storeEach((line) => line.seq > 3n);
  await watch.waitFor(count);
  await watch.close();
  return watch.responses.flatMap((r) => r.lines.map(({ walletId }) => walletId)).sort();
}

const walletsOf = (...owners: UserPrincipal[]): string[] =>
  owners.flatMap(({ userId }) => ['BRL', 'EUR'].map((code) => walletIdOf(userId, code))).sort();

describe('who may watch', () => {
  it('a customer watches their own wallets, named or not', async () => {
    expect(await watchNext(ana, [], 2)).toEqual(walletsOf(ana));
    const named = await askWatch(statement, ana, { userIds: [ana.userId, ''] });
    expect(reasonOf(named)).toBe('ok');
  });

  it('a customer who names another user gets the answer for one who does not exist', async () => {
    for (const named of [bia.userId, randomUUID()]) {
      const refused = refusalOf(await askWatch(statement, ana, { userIds: [ana.userId, named] }));
      expect(refused).toMatchObject({
        ...{ reason: 'USER_NOT_FOUND', isDenial: true },
        metadata: { field: 'user_ids', userId: named },
      });
    }
  });

  it('staff name the users whose wallets they watch, and only users who exist', async () => {
    expect(await watchNext(olga, [bia.userId, ana.userId, bia.userId], 4)).toEqual(
      walletsOf(ana, bia),
    );
    expect(refusalOf(await askWatch(statement, olga))).toMatchObject({
      ...{ reason: 'USER_REQUIRED', metadata: { field: 'user_ids' } },
    });
    const unknown = refusalOf(await askWatch(statement, olga, { userIds: [randomUUID()] }));
    expect(unknown).toMatchObject({ reason: 'USER_NOT_FOUND', metadata: { field: 'user_ids' } });
    const notAnId = refusalOf(await askWatch(statement, olga, { userIds: ['ana'] }));
    expect(notAnId).toMatchObject({ reason: 'INVALID_ARGUMENT', metadata: { field: 'user_ids' } });
    world.state.isAuthAway = true;
    expect(reasonOf(await askWatch(statement, olga, { userIds: [randomUUID()] }))).toBe(
      'AUTH_UNAVAILABLE',
    );
  });

  it('an API key for one wallet watches that wallet only', async () => {
    const [one = ''] = walletsOf(ana);
    expect(await watchNext(withKey(ana, one), [], 1)).toEqual([one]);
  });

  it('an API key of staff for one wallet watches it, and no user without it', async () => {
    const [one = ''] = walletsOf(ana);
    expect(await watchNext(withKey(olga, one), [ana.userId, bia.userId], 1)).toEqual([one]);
    const key = withKey(olga, walletIdOf(ana.userId, 'BRL'));
    expect(refusalOf(await askWatch(statement, key, { userIds: [bia.userId] }))).toMatchObject({
      ...{ reason: 'PERMISSION_DENIED', isDenial: true },
    });
  });

  it('each watch of another user by staff is recorded once, and no watch of one’s own', async () => {
    await watchNext(olga, [ana.userId, bia.userId], 4);
    await (await openWatch(statement, ana)).close();
    const records = (await readAudit(database)).map(({ actor, action, target, result }) => ({
      ...{ actor, action, target, result },
    }));
    const expected = [ana.userId, bia.userId].sort().map((target) => ({
      ...{ actor: olga.userId, action: 'statement.watch', target, result: 'ok' },
    }));
    expect(records.sort((a, b) => (a.target < b.target ? -1 : 1))).toEqual(expected);
  });

  it('nothing is shown to staff without a record', async () => {
    await database.query('ALTER TABLE audit_log RENAME TO audit_log_elsewhere');
    const refused = await askWatch(statement, olga, { userIds: [ana.userId] });
    expect(reasonOf(refused)).toBe('DATABASE_UNAVAILABLE');
    expect(reasonOf(await askWatch(statement, ana))).toBe('ok');
  });
});

describe('cursors of others', () => {
  it('a cursor gives no access to the wallets that it was made for', async () => {
    const watch = await openWatch(statement, ana);
    await watch.close();
    const cursor = watch.cursor();
    const byBia = refusalOf(await askWatch(statement, bia, { cursor }));
    expect(byBia).toMatchObject({ reason: 'INVALID_ARGUMENT', metadata: { field: 'cursor' } });
    const byKey = withKey(ana, walletIdOf(ana.userId, 'EUR'));
    expect(reasonOf(await askWatch(statement, byKey, { cursor }))).toBe('INVALID_ARGUMENT');
    const named = await askWatch(statement, bia, { cursor, userIds: [ana.userId] });
    expect(reasonOf(named)).toBe('USER_NOT_FOUND');
    expect(reasonOf(await askWatch(statement, ana, { cursor }))).toBe('ok');
  });
});

/** A service with watches only, and a hub that never looks for lines of other processes. */
function startWatches(heartbeatMs: number) {
  const hub = createWatchHub(database.db, createLog('silent'));
  const handlers = createWatchHandlers({
    ...{ db: database.db, hub, peers: world.peers, defaultCurrency: 'BRL', heartbeatMs },
    ...{ reporter: world.reporter, trail: { record: () => Promise.resolve() } },
  });
  return { hub, service: { handlers } as unknown as typeof statement.service };
}

it('a watch without new lines sends a response now and then', async () => {
  const watch = await openWatch(startWatches(30), ana);
  await watch.waitForResponses(4);
  expect(watch.responses.map((response) => response.lines)).toEqual(watch.responses.map(() => []));
  expect(new Set(watch.responses.map(({ cursor }) => cursor)).size).toBe(1);
  expect(await watch.close()).toBe('closed');
});

it('the projection wakes watches of the users whose lines it has stored', async () => {
  const watches = startWatches(60_000);
  const { note } = watches.hub;
  const { db } = database;
  const projection = createProjection(db, 'q', world.reporter, undefined, undefined, note);
  const watch = await openWatch(watches, ana);
  const caio = userOf();
  const known = toLines(ana.userId, 'BRL', makeLines(4, 4, startMs)).slice(3);
  const opened = toLines(ana.userId, 'JPY', makeLines(1, 1, startMs));
  const lines = [known, toLines(caio.userId, 'BRL', makeLines(1, 1, startMs)), opened].flat();
  await projection.handle(lines.map(toMessage));
  await watch.waitFor(2);
  expect([...watch.seen].sort()).toEqual(['BRL 4', 'JPY 1']);
  await watch.close();
});

it('a watch ends with SHUTTING_DOWN when calls are finished, and when the service stops', async () => {
  const listeners: ((rejection: never) => void)[] = [];
  const stream = { onFinish: (listener: (typeof listeners)[0]) => listeners.push(listener) };
  const finishing = await askWatch(statement, ana, {}, { stream: stream as never });
  if (!finishing.ok) throw new Error(finishing.rejection.message);
  const reading = (async () => {
    for await (const response of finishing.value) {
      expect(response.lines).toEqual([]);
      listeners.forEach((listener) => listener(undefined as never));
    }
  })();
  await expect(reading).rejects.toThrow('the server is stopping: watch again');
  const watch = await openWatch(statement, ana);
  await statement.stop();
  expect(await watch.ended).toBe('SHUTTING_DOWN');
});
