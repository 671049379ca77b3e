import { randomUUID } from 'node:crypto';

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { createRandom, shuffle } from '../../../tests/fuzz/random.ts';
import { chainHash } from '../../../core/chain.ts';
import { walletIdOf } from '../../../core/ids.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import type { InboundMessage } from '../../platform/broker/broker.ts';
import { createLog } from '../../platform/log.ts';
import { checkCompleteness, type Line } from '../domain.ts';
import { createGaps } from './gaps.ts';
import { checkLinks, createProjection } from './projection.ts';
import { readLines } from '../store.ts';
import { readExtent } from '../store-extent.ts';
import { chainLines, toMessage } from '../test-support.ts';
import { createRecorder } from '../witness/record.ts';

const startMs = Date.parse('2026-11-01T00:00:00Z');
const hourMs = 3_600_000;
const done = { kind: 'done' };
const userId = randomUUID();
const wallet = { id: walletIdOf(userId, 'BRL'), userId, currency: 'BRL' };
let test: TestDatabase;

beforeEach(async () => {
  test = await createTestDatabase('statement');
});
afterEach(() => test.drop());

/** Line `seq` deposits that many minor units, an hour after the line before. */
const lines = chainLines(
  Array.from({ length: 200 }, (_, i) => ({
    ...{ walletId: wallet.id, userId, currency: 'BRL', seq: BigInt(i + 1) },
    ...{ transactionId: randomUUID(), operation: 'deposit' as const },
    amountMinor: BigInt(i + 1),
    balanceAfterMinor: BigInt(((i + 1) * (i + 2)) / 2),
    ...{ contraAccount: 'external:cash', parentId: undefined, description: undefined },
    ...{ source: 'grpc', actor: userId, metadata: {}, more: undefined },
    occurredAtMs: startMs + (i + 1) * hourMs,
  })),
);

const message = (seq: number): InboundMessage => toMessage(lines[seq - 1]!);

const range = (fromHour: number, toHour: number) => ({
  fromMs: startMs + fromHour * hourMs,
  toMs: startMs + toHour * hourMs,
  timezone: 'UTC',
});

const extentOf = (fromHour: number, toHour: number, throughSeq?: bigint) =>
  test.db.snapshot((tx) => readExtent(tx, wallet.id, range(fromHour, toHour), throughSeq));

describe('the projection', () => {
  it('the projection stores each line once for shuffled and repeated messages', async () => {
    const projection = createProjection(test.db, 'q', createRecorder(test.db, createLog('silent')));
    const sent = Array.from({ length: 60 }, (_, i) => message(i + 1));
    const shuffled = [...sent, ...sent];
    shuffle(shuffled, createRandom('projection', 'order', 0));
    for (let i = 0; i < shuffled.length; i += 17) {
      const handlings = await projection.handle(shuffled.slice(i, i + 17));
      expect(new Set(handlings.map((handling) => handling.kind))).toEqual(new Set(['done']));
    }
    const extent = await extentOf(0, 100);
    expect(extent).toMatchObject({ closingSeq: 60n, lineCount: 60n, closingMinor: 1830n });
    expect(checkCompleteness(extent, 60n)).toEqual({ isComplete: true });
  });

  it('the projection names the bad field of a message, and stores its neighbours', async () => {
    const bad = {
      ...message(2),
      event: undefined,
      body: { pattern: 'transaction_created', data: { userId: 7 } },
    };
    const handlings = await createProjection(
      test.db,
      'q',
      createRecorder(test.db, createLog('silent')),
    ).handle([message(1), bad, message(3)]);
    expect(handlings.map((handling) => handling.kind)).toEqual(['done', 'dead', 'done']);
    expect(handlings[1]).toMatchObject({ field: 'data.userId' });
    expect(await extentOf(0, 100)).toMatchObject({ lineCount: 2n });
  });

  it('the projection finds a range whatever lines are missing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 25 }),
        fc.integer({ min: 0, max: 45 }),
        fc.integer({ min: 0, max: 45 }),
        async (seqs, a, b) => {
          await test.query('TRUNCATE statement_lines');
          await createProjection(test.db, 'q', createRecorder(test.db, createLog('silent'))).handle(
            seqs.map(message),
          );
          const [from, to] = a < b ? [a, b] : [b, a];
          const before = (hour: number) => Math.max(0, ...seqs.filter((seq) => seq < hour));
          const extent = await extentOf(from, to);
          expect(extent.openingSeq).toBe(BigInt(before(from)));
          expect(extent.closingSeq).toBe(BigInt(before(to)));
          const next = seqs.filter((seq) => seq > before(to)).sort((x, y) => x - y)[0];
          expect(extent.nextSeq).toBe(next === undefined ? undefined : BigInt(next));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('a pinned end of a range does not move when more lines come', async () => {
    const projection = createProjection(test.db, 'q', createRecorder(test.db, createLog('silent')));
    await projection.handle([1, 2, 3].map(message));
    const pinned = await extentOf(0, 100, 3n);
    await projection.handle([4, 5].map(message));
    expect(await extentOf(0, 100, 3n)).toEqual({ ...pinned, nextSeq: 4n });
  });

  it('the projection gives another user none of the lines', async () => {
    await createProjection(test.db, 'q', createRecorder(test.db, createLog('silent'))).handle([
      message(1),
    ]);
    const page = { afterSeq: 0n, beforeSeq: 9n, isDescending: false, limit: 9 };
    const foreign = { id: wallet.id, userId: randomUUID() };
    expect(await test.db.read((tx) => readLines(tx, foreign, page))).toEqual([]);
    expect(await test.db.read((tx) => readLines(tx, wallet, page))).toHaveLength(1);
  });

  it.each([
    [false, [2n, 3n]],
    [true, [4n, 3n]],
  ])('pages are read within their bounds (descending: %s)', async (isDescending, seqs) => {
    await createProjection(test.db, 'q', createRecorder(test.db, createLog('silent'))).handle(
      [1, 2, 3, 4, 5].map(message),
    );
    const page = { afterSeq: 1n, beforeSeq: 5n, isDescending, limit: 2 };
    const lines = await test.db.read((tx) => readLines(tx, wallet, page));
    expect(lines.map((line) => line.seq)).toEqual(seqs);
    const all = await test.db.read((tx) => readLines(tx, wallet, { ...page, limit: 9 }));
    expect(all.map((line) => line.seq).sort()).toEqual([2n, 3n, 4n]);
  });
});

describe('contradicting events', () => {
  const create = () => createProjection(test.db, 'q', createRecorder(test.db, createLog('silent')));
  const divergences = async () => {
    const text = 'SELECT seq::int AS seq, kind FROM divergences ORDER BY seq, kind';
    return test.query<{ seq: number; kind: string }>(text);
  };
  const change = (line: Line, changed: Partial<Line>): Line => {
    const other = { ...line, ...changed };
    return { ...other, hash: chainHash(other.previousHash, { ...other, id: other.transactionId }) };
  };
  const [first, second, third] = [lines[0]!, lines[1]!, lines[2]!];
  const stored = async () => {
    const page = { afterSeq: 0n, beforeSeq: 999n, isDescending: false, limit: 999 };
    return test.db.read((tx) => readLines(tx, wallet, page));
  };

  it('no divergence is found in 200 events, shuffled and sent twice to two daemons', async () => {
    const sent = [...lines, ...lines].map(toMessage);
    shuffle(sent, createRandom('projection', 'divergences', 0));
    const daemons = [create(), create()];
    for (let i = 0; i < sent.length; i += 40) {
      await Promise.all(daemons.map((d, k) => d.handle(sent.slice(i + 20 * k, i + 20 * k + 20))));
    }
    expect(await divergences()).toEqual([]);
    expect(await stored()).toEqual(lines);
  });

  it('a broken link is found where another daemon stored the line in between', async () => {
    const recorder = createRecorder(test.db, createLog('silent'));
    const gaps = createGaps(test.db, async (links) => {
      const { broken } = await checkLinks(test.db, links);
      await recorder.record(broken);
    });
    const other = createProjection(test.db, 'q', recorder, undefined, gaps);
    const forged = change(third, { previousHash: first.hash });
    const projection = create();
    await projection.handle([toMessage(first)]);
    await other.handle([toMessage(forged)]);
    await projection.handle([toMessage(second)]);
    expect(await divergences()).toEqual([]);
    await gaps.findOldest();
    expect(await divergences()).toEqual([{ seq: 3, kind: 'broken_link' }]);
  });

  it('an event with another hash under a known seq changes no line, and is kept once', async () => {
    const projection = create();
    await projection.handle([first, second, third].map(toMessage));
    const other = toMessage(change(second, { amountMinor: 99n, transactionId: randomUUID() }));
    for (let i = 0; i < 3; i += 1) {
      expect(await projection.handle([other, toMessage(second)])).toEqual([done, done]);
    }
    expect(await divergences()).toEqual([{ seq: 2, kind: 'other_hash' }]);
    expect(await stored()).toEqual([first, second, third]);
    const [{ event } = { event: '' }] = await test.query<{ event: string }>(
      'SELECT event FROM divergences',
    );
    expect(JSON.parse(event)).toMatchObject({ seq: '2', amountMinor: '99' });
  });

  it('of two events under one seq in one batch, one is a line, the other is kept', async () => {
    const other = change(first, { amountMinor: 99n });
    await create().handle([first, other].map(toMessage));
    expect(await stored()).toHaveLength(1);
    expect(await divergences()).toEqual([{ seq: 1, kind: 'other_hash' }]);
  });

  it.each([
    ['the later', [first, change(second, { previousHash: 'ab'.repeat(32) })]],
    ['the earlier', [change(second, { previousHash: 'ab'.repeat(32) }), first]],
  ])('a broken link is found when %s of two lines comes last', async (_which, batch) => {
    const projection = create();
    for (const line of batch) expect(await projection.handle([toMessage(line)])).toEqual([done]);
    expect(await divergences()).toEqual([{ seq: 2, kind: 'broken_link' }]);
  });

  const wrong: [string, Line][] = [
    ['an amount', { ...second, amountMinor: 5n }],
    ['an actor', { ...second, actor: 'x' }],
    ['metadata', { ...second, metadata: { a: 'b' } }],
    ['another owner', { ...second, userId: randomUUID() }],
    ['another currency', { ...second, currency: 'USD' }],
    ['a first line that does not begin the chain', change(first, { previousHash: '0'.repeat(64) })],
  ];
  it.each(wrong)('an event whose hash does not fit is no line: %s', async (_what, line) => {
    expect(await create().handle([toMessage(line)])).toEqual([done]);
    expect(await divergences()).toEqual([{ seq: Number(line.seq), kind: 'own_hash' }]);
    expect(await stored()).toEqual([]);
  });

  it('at most 100 divergences are kept for a wallet', async () => {
    const projection = create();
    const forged = (i: number) => toMessage({ ...second, hash: i.toString(16).padStart(64, '0') });
    for (let i = 0; i < 300; i += 10) {
      await projection.handle(Array.from({ length: 10 }, (_, k) => forged(i + k)));
    }
    expect(await divergences()).toHaveLength(100);
  });
});
