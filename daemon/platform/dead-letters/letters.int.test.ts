import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { inflateRawSync } from 'node:zlib';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import type { Result } from '../../../core/reasons.ts';
import type { DeadLetterState } from '../../../protos/gen/digitalwallet/common/v1/dead_letter.ts';
import { callAs } from '../../../tests/support/grpc/calls.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createAuditTrail } from '../audit/audit.ts';
import type { DeadLetter } from '../broker/broker.ts';
import { createDb, type Db } from '../db/db.ts';
import type { ReplayOutcome } from './replays.ts';
import { createDeadLetterHandlers } from './wire.ts';
import { storeLetters, createDeadLetters, type PlanReplays } from './dead-letters.ts';
import { createLog } from '../log.ts';

const log = createLog('silent');
const operator = callAs(randomUUID(), 'operator');
let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase('wallet');
});
afterAll(() => test.drop());

const letterOf = (text: string, change: Partial<DeadLetter> = {}): DeadLetter => ({
  ...{ id: randomUUID(), queue: 'q', messageId: randomUUID(), reason: 'R', field: undefined },
  ...{ text, content: Buffer.from(text), deliveryId: randomUUID() },
  ...change,
});

const ok: ReplayOutcome = { kind: 'done', result: 'ok', details: {}, isRecorded: false };

/** Replays whose effect is `run`. */
const planOf =
  (run: () => Promise<unknown>): PlanReplays =>
  (replays) =>
    Promise.resolve({
      ok: true,
      value: {
        effectIds: replays.map(() => undefined),
        run: async () => {
          await run();
          return replays.map(() => ok);
        },
      },
    });

function open(db: Db, run: () => Promise<unknown> = () => Promise.resolve()) {
  const letters = createDeadLetters({ db, plan: planOf(run) });
  return { letters, handlers: createDeadLetterHandlers(letters, createAuditTrail({ db, log })) };
}

const valueOf = <T>(result: Result<T>): T => {
  if (!result.ok) throw new Error(result.rejection.reason);
  return result.value;
};
const reasonOf = (result: Result<unknown>): string => (result.ok ? 'ok' : result.rejection.reason);

const list = async (db: Db, ids: readonly string[], pageToken = '', pageSize = 0) =>
  valueOf(
    await open(db).handlers.listDeadLetters(
      { ...{ pageSize, pageToken, state: 0, reason: '' }, deadLetterIds: [...ids] },
      operator,
    ),
  );
const replay = (letters: ReturnType<typeof open>['letters'], ...ids: string[]) =>
  letters.replay({ ids, body: undefined, messageId: undefined, isDryRun: false }, operator);
const discard = (letters: ReturnType<typeof open>['letters'], ...ids: string[]) =>
  letters.discard({ ids, note: '', isDryRun: false }, operator);

describe('storage', () => {
  it('a dead letter is stored as it came, and shown with its secrets redacted', async () => {
    const depth = 60_000;
    const text = `{"token":"x","a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
    const other = letterOf('{}');
    const letter = letterOf(text);
    await storeLetters(test.db, [letter, other]);
    const select = 'SELECT raw FROM dead_letters WHERE id = $1';
    const [row] = await test.query<{ raw: Buffer }>(select, [letter.id]);
    expect(inflateRawSync(row?.raw ?? '').toString()).toBe(text);
    const { deadLetters } = await list(test.db, [letter.id, other.id]);
    expect(deadLetters).toHaveLength(2);
    const [shown] = deadLetters.filter(({ id }) => id === letter.id);
    expect(shown).toMatchObject({ altered: false, receivedCount: 1 });
    expect(shown?.body).toBe(text.replace('"x"', '"[redacted]"'));
  });

  it.each([
    ['bytes that are no UTF-8', Buffer.from([0x7b, 0xff, 0x00, 0x7d])],
    ['more than is kept of one', Buffer.alloc(300_000, 'a')],
  ])('a replay of a dead letter with %s needs a body', async (_name, content) => {
    const letter = letterOf(content.toString(), { content });
    await storeLetters(test.db, [letter]);
    expect((await list(test.db, [letter.id])).deadLetters[0]).toMatchObject({ altered: true });
    expect(reasonOf(await replay(open(test.db).letters, letter.id))).toBe('INVALID_ARGUMENT');
  });

  it('a dead letter with very long names is stored, its reason cut to 255 characters', async () => {
    const long = 'x'.repeat(100_000);
    const letter = letterOf('{}', { reason: long, field: `\0${long}`, userId: long });
    await storeLetters(test.db, [letter]);
    const [shown] = (await list(test.db, [letter.id])).deadLetters;
    expect(shown?.reason).toBe('x'.repeat(255));
  });
});

it('a dead letter with redacted secrets is replayed as it came', async () => {
  const letter = letterOf('{"token":"x","a":1}');
  await storeLetters(test.db, [letter]);
  const replayed: unknown[] = [];
  const letters = createDeadLetters({
    db: test.db,
    plan: (replays, ...rest) => {
      replayed.push(...replays.map(({ message, isChanged }) => [message.body, isChanged]));
      return planOf(() => Promise.resolve())(replays, ...rest);
    },
  });
  expect(reasonOf(await replay(letters, letter.id))).toBe('ok');
  expect(replayed).toEqual([[{ token: 'x', a: 1 }, false]]);
});

describe('redelivery', () => {
  const again = (letter: DeadLetter): DeadLetter => ({ ...letter, deliveryId: randomUUID() });
  const stateOf = async ({ id }: DeadLetter) => {
    const [shown] = (await list(test.db, [id])).deadLetters;
    return { state: shown?.state, count: shown?.receivedCount, by: shown?.decidedBy };
  };

  it.each(['discard', 'replay'] as const)('a redelivery after %s is pending', async (decision) => {
    const letter = letterOf('{}');
    await storeLetters(test.db, [letter]);
    const { letters } = open(test.db);
    const decide = { discard, replay }[decision];
    valueOf(await decide(letters, letter.id));
    expect((await stateOf(letter)).state).not.toBe(1);
    await storeLetters(test.db, [again(letter)]);
    expect(await stateOf(letter)).toEqual({ state: 1, count: 2, by: '' });
    valueOf(await discard(letters, letter.id));
  });

  it('a message that is sent again is counted each time, also within one batch', async () => {
    const letter = letterOf('{}');
    await storeLetters(test.db, [letter, again(letter), letterOf('{}'), again(letter)]);
    expect(await stateOf(letter)).toMatchObject({ count: 3 });
    await storeLetters(test.db, [again(letter)]);
    expect(await stateOf(letter)).toMatchObject({ count: 4 });
  });

  it('a delivery that is stored twice is counted once', async () => {
    const letter = letterOf('{}');
    await storeLetters(test.db, [letter]);
    valueOf(await discard(open(test.db).letters, letter.id));
    await storeLetters(test.db, [letter]);
    expect(await stateOf(letter)).toMatchObject({ state: 3, count: 1 });
  });
});

describe('lists of dead letters', () => {
  it('a page has as many dead letters as fit in an answer, and the pages have all', async () => {
    const bodies = [70_000, 10, 250_000].map((size) => Buffer.alloc(size, 0xfe));
    const letters = Array.from({ length: 60 }, (_, i) => {
      const content = bodies[i % 3] ?? Buffer.alloc(0);
      return letterOf('', { content });
    });
    for (const letter of letters) await storeLetters(test.db, [letter]);
    const ids = letters.map(({ id }) => id);
    const found: string[] = [];
    let token = '';
    let pages = 0;
    do {
      const page = await list(test.db, ids, token, 500);
      const bytes = page.deadLetters.reduce((sum, { body }) => sum + Buffer.byteLength(body), 0);
      expect(bytes).toBeLessThan(3 * 1024 * 1024);
      found.push(...page.deadLetters.map(({ id }) => id));
      token = page.nextPageToken;
      pages += 1;
    } while (token !== '' && pages < 100);
    expect(found).toEqual(ids);
    expect(pages).toBeGreaterThan(3);
  });

  it('a list of dead letters by state and reason continues where a page ended', async () => {
    const reason = `R${randomUUID()}`;
    const letters = Array.from({ length: 5 }, () => letterOf('{}', { reason }));
    for (const letter of letters) await storeLetters(test.db, [letter]);
    const ids = letters.map(({ id }) => id);
    valueOf(await discard(open(test.db).letters, ids[0] ?? ''));
    const { handlers } = open(test.db);
    const ask = async (state: DeadLetterState, pageToken: string) =>
      valueOf(
        await handlers.listDeadLetters(
          { pageSize: 2, pageToken, state, reason, deadLetterIds: [] },
          operator,
        ),
      );
    const first = await ask(1, '');
    const second = await ask(1, first.nextPageToken);
    expect([...first.deadLetters, ...second.deadLetters].map(({ id }) => id)).toEqual(ids.slice(1));
    expect(second.nextPageToken).toBe('');
    expect((await ask(0, '')).deadLetters.map(({ id }) => id)).toEqual(ids.slice(0, 2));
    expect((await ask(3, '')).deadLetters.map(({ id }) => id)).toEqual(ids.slice(0, 1));
  });
});

it('a discard of large dead letters is answered, without the bodies that do not fit', async () => {
  const letters = Array.from({ length: 20 }, () => letterOf('x'.repeat(200_000)));
  for (const letter of letters) await storeLetters(test.db, [letter]);
  const request = { deadLetterIds: letters.map(({ id }) => id), note: '', dryRun: false };
  const answer = valueOf(await open(test.db).handlers.discardDeadLetters(request, operator));
  expect(answer.deadLetters).toHaveLength(20);
  expect(answer.deadLetters.every(({ state }) => state === 3)).toBe(true);
  expect(answer.deadLetters[0]).toMatchObject({ bodyOmitted: false });
  expect(answer.deadLetters[19]).toMatchObject({ body: '', bodyOmitted: true });
});

describe('replays', () => {
  it('ten concurrent replays need no more than one connection', async () => {
    const db = createDb({ url: test.url, name: 'one', maxConnections: 1, log });
    try {
      const letters = Array.from({ length: 10 }, () => letterOf('{}'));
      await storeLetters(db, letters);
      const stage = open(db, () => db.tx((tx) => tx.query({ name: 't', text: 'SELECT 1' })));
      const outcomes = await Promise.all(letters.map(({ id }) => replay(stage.letters, id)));
      expect(outcomes.map(reasonOf)).toEqual(letters.map(() => 'ok'));
    } finally {
      await db.close();
    }
  });

  it('concurrent replays of one dead letter have one effect', async () => {
    const letter = letterOf('{}');
    await storeLetters(test.db, [letter]);
    let effects = 0;
    const { letters } = open(test.db, async () => {
      effects += 1;
      await sleep(100);
    });
    const outcomes = await Promise.all(
      Array.from({ length: 10 }, () => replay(letters, letter.id)),
    );
    expect(outcomes.map(reasonOf).sort()).toEqual([
      ...Array.from({ length: 9 }, () => 'DEAD_LETTER_RESOLVED'),
      'ok',
    ]);
    expect(effects).toBe(1);
  });

  it('concurrent replays of overlapping sets of dead letters do not deadlock', async () => {
    const [a, b] = [letterOf('{}'), letterOf('{}')];
    for (let i = 0; i < 10; i += 1) {
      await storeLetters(
        test.db,
        [a, b].map((letter) => ({ ...letter, deliveryId: randomUUID() })),
      );
      const { letters } = open(test.db);
      const both = [replay(letters, a.id, b.id), replay(letters, b.id, a.id)];
      const reasons = (await Promise.all(both)).map(reasonOf).sort();
      expect(reasons).toEqual(['DEAD_LETTER_RESOLVED', 'ok']);
    }
  });

  it('a dead letter whose replay failed can be replayed again', async () => {
    const letter = letterOf('{}');
    await storeLetters(test.db, [letter]);
    const failing = open(test.db, () => Promise.reject(new Error('unavailable')));
    await expect(replay(failing.letters, letter.id)).rejects.toThrow('unavailable');
    expect(reasonOf(await replay(open(test.db).letters, letter.id))).toBe('ok');
  });

  it('a replay that hangs claims its letter for a minute, and fails if it ends later', async () => {
    const letter = letterOf('{}');
    await storeLetters(test.db, [letter]);
    let end: () => void = () => undefined;
    const never = open(test.db, () => new Promise<void>((resolve) => (end = resolve)));
    const lost = replay(never.letters, letter.id);
    const { letters } = open(test.db);
    const claimed = 'SELECT 1 FROM dead_letters WHERE id = $1 AND claim_id IS NOT NULL';
    await expect.poll(() => test.query(claimed, [letter.id]), { timeout: 20_000 }).toHaveLength(1);
    expect(reasonOf(await discard(letters, letter.id))).toBe('DEAD_LETTER_RESOLVED');
    expect(reasonOf(await replay(letters, letter.id))).toBe('DEAD_LETTER_RESOLVED');
    const text = `UPDATE dead_letters SET claimed_until = claimed_until - interval '61 s' WHERE id = $1`;
    await test.query(text, [letter.id]);
    expect(reasonOf(await replay(letters, letter.id))).toBe('ok');
    end();
    expect(reasonOf(await lost)).toBe('DEAD_LETTER_RESOLVED');
  });

  it('a claim of a dead letter from a clock that was ahead does not block a replay', async () => {
    const letter = letterOf('{}');
    await storeLetters(test.db, [letter]);
    const text = `UPDATE dead_letters SET claim_id = id,
      claimed_until = clock_timestamp() + interval '1 day' WHERE id = $1`;
    await test.query(text, [letter.id]);
    expect(reasonOf(await replay(open(test.db).letters, letter.id))).toBe('ok');
  });
});
