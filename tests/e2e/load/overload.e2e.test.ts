import type { ClientHttp2Stream } from 'node:http2';
import { setTimeout as sleep } from 'node:timers/promises';

import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { transactionIdOf } from '../../../core/ids.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { queryService, readUrls, waitUntil } from '../../support/ledger/ledger.ts';
import {
  connectRaw,
  readAnswer,
  type RawAnswer,
  type RawClient,
} from '../../support/grpc/raw-http2.ts';
import { outcomeOf, sendAll } from '../../support/grpc/stream.ts';
import {
  createStreamWorld,
  deposit,
  times,
  type StreamWorld,
  type User,
} from '../../support/grpc/stream-world.ts';
import { connectClient } from '../../support/postgres/client.ts';

let at: StreamWorld;
let clients: readonly RawClient[] = [];

beforeAll(async () => {
  at = await createStreamWorld();
  // The wallets are there before anything is held up.
  for (const user of at.users) await sendAll(at.address(), user.token, [[deposit(user)]]);
  clients = times(16, () => connectRaw(at.address()));
});

afterAll(async () => {
  clients.forEach((client) => client.close());
  await at.world.dispose();
});

const { path, requestSerialize } = WalletServiceService.createTransaction;

function open(user: User, key: string, client: number): ClientHttp2Stream {
  const item = deposit(user, { idempotencyKey: key });
  const messages = [Buffer.from(requestSerialize({ item, dryRun: false }))];
  const headers = { authorization: `Bearer ${user.token}` };
  const raw = clients[client % clients.length];
  if (!raw) throw new Error('no connection');
  return raw.open(path, { headers, messages });
}

const send = (user: User, key: string, client: number): Promise<RawAnswer> =>
  readAnswer(open(user, key, client));

/** Holds up every commit until it is let go. */
async function holdCommits(): Promise<() => Promise<void>> {
  const { owner } = await readUrls(at.world.dataDir);
  const client = await connectClient(owner('wallet'));
  await client.query('BEGIN');
  await client.query('LOCK TABLE transactions IN EXCLUSIVE MODE');
  return async () => {
    await client.query('ROLLBACK');
    await client.end();
  };
}

const isOverloaded = ({ info }: RawAnswer): boolean => info?.reason === 'OVERLOADED';

/** How often each key stands in the ledger. */
async function countByKey(user: User, keys: readonly string[]): Promise<number[]> {
  const ask = <Row extends pg.QueryResultRow>(text: string) =>
    queryService<Row>(at.world.dataDir, 'wallet', text, [user.id]);
  const [wallet] = await ask<{ id: string }>('SELECT id FROM wallets WHERE user_id = $1');
  const rows = await ask<{ id: string; n: number }>(
    'SELECT id, count(*)::int AS n FROM transactions WHERE actor = $1::text GROUP BY id',
  );
  const counts = new Map(rows.map(({ id, n }) => [id, n]));
  return keys.map((key) => counts.get(transactionIdOf(wallet?.id ?? '', 'customer', key)) ?? 0);
}

/**
 * Repeats a refused call until it succeeds, each time after the pause that the refusal asks for.
 */
async function persist(user: User, key: string, first: RawAnswer, client: number): Promise<void> {
  for (let answer = first; answer.status !== 0;) {
    expect([8, 14]).toContain(answer.status);
    await sleep(Number(answer.info?.metadata['retryAfterMs'] ?? 1_000));
    answer = await send(user, key, client);
  }
}

describe('overload', () => {
  it('excess load is refused at once, and accepted calls are done exactly once', async () => {
    const [ana, bia] = at.users as [User, User];
    const letGo = await holdCommits();
    const answered: { key: string; answer: RawAnswer }[] = [];
    const keys = times(1_500, (i) => `flood ${i}`);
    const flood = keys.map(async (key, i) => {
      const answer = await send(ana, key, i);
      answered.push({ key, answer });
      return answer;
    });
    // Nothing is committed, so whatever is past her 1,024 is answered while the others wait.
    await waitUntil('the excess is refused', () => Promise.resolve(answered.length >= 476));
    const early = answered.map(({ answer }) => answer);
    expect(early.every(isOverloaded)).toBe(true);
    for (const { info } of early) {
      expect(Number(info?.metadata['retryAfterMs'])).toBeGreaterThanOrEqual(500);
    }
    const other = times(20, (i) => send(bia, `beside ${i}`, i));
    await letGo();
    expect((await Promise.all(other)).map(({ status }) => status)).toEqual(times(20, () => 0));
    const answers = await Promise.all(flood);

    const counts = await countByKey(ana, keys);
    answers.forEach((answer, i) => expect(counts[i]).toBe(answer.status === 0 ? 1 : 0));
    await Promise.all(keys.map((key, i) => persist(ana, key, answers[i]!, i)));
    expect(await countByKey(ana, keys)).toEqual(keys.map(() => 1));
    expect(await at.findLedgerFaults()).toEqual([]);
  });

  it('an abandoned call that is repeated is done exactly once', async () => {
    const [, , caio] = at.users as [User, User, User];
    const letGo = await holdCommits();
    const keys = times(80, (i) => `given up ${i}`);
    const streams = keys.map((key, i) => open(caio, key, i));
    const isWaiting = `SELECT 1 FROM pg_locks WHERE relation = 'transactions'::regclass
      AND NOT granted`;
    await waitUntil('a commit is under way', async () => {
      return (await queryService(at.world.dataDir, 'wallet', isWaiting)).length > 0;
    });
    for (const stream of streams) stream.close(8);
    await letGo();
    await Promise.all(keys.map(async (key, i) => persist(caio, key, await send(caio, key, i), i)));
    expect(await countByKey(caio, keys)).toEqual(keys.map(() => 1));
    expect(await at.findLedgerFaults()).toEqual([]);
  });

  it('under overload, streams beside calls and calls beside streams are completed', async () => {
    const [ana, bia] = at.users as [User, User];
    let isOver = false;
    const flood = times(400, async (worker) => {
      for (let n = 0; !isOver; n += 1) {
        const { status, info } = await send(ana, `beside streams ${worker} ${n}`, worker);
        if (status !== 0) await sleep(Number(info?.metadata['retryAfterMs'] ?? 1_000));
      }
    });
    // The flood ends after the streams: with no share of their own they would never be done.
    const streams = await Promise.all(
      times(4, () =>
        sendAll(
          at.address(),
          bia.token,
          times(10, () => times(100, () => deposit(bia))),
        ),
      ),
    );
    isOver = true;
    await Promise.all(flood);
    for (const { end, results } of streams) {
      expect(end).toBe('OK');
      expect(new Set(results.map(outcomeOf))).toEqual(new Set(['done']));
      expect(results).toHaveLength(1_000);
    }

    isOver = false;
    const streaming = times(8, async () => {
      while (!isOver) {
        const messages = times(5, () => times(500, () => deposit(bia)));
        await sendAll(at.address(), bia.token, messages);
      }
    });
    const singles = times(100, async (i) => {
      const key = `beside single calls ${i}`;
      await persist(ana, key, await send(ana, key, i), i);
    });
    await Promise.all(singles);
    isOver = true;
    await Promise.all(streaming);
    expect(await at.findLedgerFaults()).toEqual([]);
  });
});
