import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { currencyCodes } from '../../../core/currencies.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createRandom, shuffle } from '../../../tests/fuzz/random.ts';
import { makeHoldLines, makeLines } from '../../../tests/support/ledger/statement-model.ts';
import type { UserPrincipal } from '../../platform/access/access.ts';
import type { Line } from '../domain.ts';
import {
  createStatementWorld,
  reasonOf,
  startMs,
  toLines,
  userOf,
  type StatementWorld,
} from '../test-support.ts';
import { insertLines } from '../store.ts';
import { askWatch, namesOf, openWatch, project } from './test-support.ts';

type Statement = Awaited<ReturnType<StatementWorld['start']>>;

let database: TestDatabase;
let world: StatementWorld;
let statement: Statement;
let ana: UserPrincipal;
const others: Statement[] = [];

beforeEach(async () => {
  database = await createTestDatabase('statement');
  world = createStatementWorld(database);
  ana = world.know(userOf());
  statement = await world.start();
});
afterEach(async () => {
  await Promise.all([statement, ...others.splice(0)].map((each) => each.stop()));
  await database.drop();
});

const linesOf = (userId: string, count: number, currency = 'BRL'): Line[] =>
  toLines(userId, currency, makeLines(count, count, startMs));
const store = (lines: readonly Line[]) => database.db.tx((tx) => insertLines(tx, lines));

describe('live lines', () => {
  it('a watch begins with an empty response, and sends what is stored from then on', async () => {
    const lines = linesOf(ana.userId, 9);
    await project(statement, lines.slice(0, 4));
    const watch = await openWatch(statement, ana);
    expect(watch.responses[0]).toMatchObject({ lines: [], inconsistencies: [] });
    await project(statement, lines.slice(4, 6));
    await watch.waitFor(2);
    // As another process stores them: found by a look.
    await store(lines.slice(6));
    await watch.waitFor(5);
    expect(watch.seen).toEqual(namesOf(lines.slice(4)));
    const [first] = watch.responses.flatMap((response) => response.lines);
    const { walletId, hash, seq, transactionId } = lines[4]!;
    expect(first).toMatchObject({
      ...{ walletId, userId: ana.userId, currency: 'BRL', exponent: 2 },
      line: { seq, transactionId, hash: Buffer.from(hash, 'hex') },
    });
    expect(await watch.close()).toBe('closed');
  });

  it('holds and releases are among the live lines, with what they reserve', async () => {
    const lines = toLines(ana.userId, 'BRL', makeHoldLines(5, 60, startMs));
    const watch = await openWatch(statement, ana);
    await project(statement, lines);
    await watch.waitFor(60);
    expect(watch.seen).toEqual(namesOf(lines));
    const sent = watch.responses.flatMap((response) => response.lines);
    for (const [i, { line }] of sent.entries()) {
      const { more, amountMinor } = lines[i]!;
      const { heldMinor = 0n, heldAfterMinor = 0n } = more ?? {};
      expect([line?.heldMinor ?? 0n, line?.heldAfterMinor ?? 0n]).toEqual([
        heldMinor,
        heldAfterMinor,
      ]);
      // A release of the last hold says that nothing is reserved.
      expect(line?.heldAfterMinor === undefined).toBe(heldMinor === 0n && heldAfterMinor === 0n);
      expect((line?.creditMinor ?? 0n) - (line?.debitMinor ?? 0n)).toBe(amountMinor);
    }
    await watch.close();
  });

  it('a watch resumed from any of its cursors sends exactly the lines after it', async () => {
    const lines = linesOf(ana.userId, 700);
    const watch = await openWatch(statement, ana);
    for (let i = 0; i < 700; i += 100) {
      await project(statement, lines.slice(i, i + 100));
      await watch.waitFor(i + 100);
    }
    await watch.close();
    let sent = 0;
    for (const { cursor, lines: part } of watch.responses) {
      sent += part.length;
      const resumed = await openWatch(statement, ana, { cursor });
      await resumed.waitFor(lines.length - sent);
      expect(resumed.seen).toEqual(namesOf(lines.slice(sent)));
      await resumed.close();
    }
    expect(sent).toBe(700);
    expect(watch.responses.length).toBeGreaterThan(7);
  });

  it('a line is not sent before those before it are stored', async () => {
    const lines = linesOf(ana.userId, 8);
    const watch = await openWatch(statement, ana);
    const [first, second, third, ...rest] = lines;
    await project(statement, [first!, ...rest]);
    await watch.waitFor(1);
    await project(statement, [third!]);
    const bia = linesOf(ana.userId, 1, 'EUR');
    await project(statement, bia);
    await watch.waitFor(2);
    expect(watch.seen).toEqual(['BRL 1', 'EUR 1']);
    await project(statement, [second!]);
    await watch.waitFor(9);
    expect(watch.seen).toEqual(['BRL 1', 'EUR 1', ...namesOf(lines.slice(1))]);
    await watch.close();
  });

  it('watches of two processes miss and repeat no line when they are resumed anywhere', async () => {
    const second = await world.start();
    others.push(second);
    const currencies = ['BRL', 'EUR', 'JPY'] as const;
    const all = currencies.flatMap((currency) => linesOf(ana.userId, 120, currency));
    const random = createRandom('watch', 'order', 0);
    const order = [...all];
    shuffle(order, random);
    const storing = (async () => {
      for (let i = 0; i < order.length; i += 9) {
        await project(random.chance(50) ? statement : second, order.slice(i, i + 9));
      }
    })();
    const seen: string[] = [];
    for (let cursor = '', turn = 0; seen.length < all.length; turn += 1) {
      const watch = await openWatch(turn % 2 === 0 ? statement : second, ana, { cursor });
      await watch.waitFor(Math.min(all.length - seen.length, 1 + random.int(40)));
      await watch.close();
      cursor = watch.cursor();
      seen.push(...watch.seen);
    }
    await storing;
    for (const currency of currencies) {
      const ofWallet = seen.filter((name) => name.startsWith(currency));
      expect(ofWallet).toEqual(namesOf(all.filter((line) => line.currency === currency)));
    }
  });
});

describe('wallets of a watch', () => {
  it('a wallet that is opened later is included from its first line, after a resume too', async () => {
    const euros = linesOf(ana.userId, 3, 'EUR');
    const yens = linesOf(ana.userId, 2, 'JPY');
    await project(statement, linesOf(ana.userId, 2));
    const watch = await openWatch(statement, ana);
    await project(statement, euros);
    await watch.waitFor(3);
    await watch.close();
    await store(yens);
    const resumed = await openWatch(statement, ana, { cursor: watch.cursor() });
    await resumed.waitFor(2);
    expect([...watch.seen, ...resumed.seen]).toEqual(namesOf([...euros, ...yens]));
    await resumed.close();
  });

  it('a wallet opened by another process is included from its first line', async () => {
    const watch = await openWatch(statement, ana);
    const lines = linesOf(ana.userId, 3);
    await store(lines);
    await watch.waitFor(3);
    expect(watch.seen).toEqual(namesOf(lines));
    await watch.close();
  });

  it('50 wallets of several users are watched by one stream', async () => {
    const operator = world.know(userOf('operator'));
    const bia = world.know(userOf());
    const codes = currencyCodes.slice(0, 25);
    const lines = [ana, bia].flatMap(({ userId }) =>
      codes.flatMap((code) => linesOf(userId, 12, code)),
    );
    await project(
      statement,
      lines.filter(({ seq }) => seq <= 2n),
    );
    const userIds = [bia.userId, ana.userId];
    const watch = await openWatch(statement, operator, { userIds });
    const later = lines.filter(({ seq }) => seq > 2n);
    await project(statement, later);
    await watch.waitFor(500);
    const nameOf = (walletId: string, seq: bigint | undefined) => `${walletId} ${seq}`;
    const sent = watch.responses.flatMap((r) => r.lines);
    for (const { walletId } of lines.filter(({ seq }) => seq === 1n)) {
      const ofWallet = sent.filter((line) => line.walletId === walletId);
      expect(ofWallet.map(({ line }) => nameOf(walletId, line?.seq))).toEqual(
        later.filter((line) => line.walletId === walletId).map((l) => nameOf(walletId, l.seq)),
      );
    }
    expect(watch.cursor().length).toBeLessThan(4_096);
    await watch.close();
    const resumed = await openWatch(statement, operator, { userIds, cursor: watch.cursor() });
    expect(await resumed.close()).toBe('closed');
    expect(resumed.seen).toEqual([]);
  });

  it('a watch of more than 50 wallets is refused, and ends once there are more', async () => {
    const codes = currencyCodes.slice(0, 51);
    await project(
      statement,
      codes.slice(1).flatMap((code) => linesOf(ana.userId, 1, code)),
    );
    const watch = await openWatch(statement, ana);
    await project(statement, linesOf(ana.userId, 1, codes[0]));
    expect(await watch.ended).toBe('INVALID_ARGUMENT user_ids');
    const refused = await askWatch(statement, ana);
    expect(refused).toMatchObject({
      rejection: { reason: 'INVALID_ARGUMENT', metadata: { field: 'user_ids', limit: '50' } },
    });
    const resumed = await askWatch(statement, ana, { cursor: watch.cursor() });
    expect(reasonOf(resumed)).toBe('INVALID_ARGUMENT');
  });
});
