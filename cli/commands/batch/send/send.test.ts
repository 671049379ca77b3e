import { describe, expect, test } from 'vitest';

import { fail, succeed } from '../../../outcome.ts';
import { toUnsentFailure } from '../../../rpc/errors.ts';
import {
  chunkOf,
  createWorld,
  doneOf,
  endOf,
  refusalOf,
  rowOf,
  type Serve,
} from './test-support.ts';

const doAll: Serve = (items) => items.map(doneOf);
const threeChunks = () => [chunkOf(rowOf(1), rowOf(2)), chunkOf(rowOf(3)), chunkOf(rowOf(4))];

describe('a batch without trouble', () => {
  test('each row is sent once, in order, and has its result in order', async () => {
    const world = createWorld(threeChunks(), doAll);
    expect(await world.run()).toEqual(succeed(undefined));
    expect(world.sent.map(({ keys }) => keys)).toEqual([['key 1', 'key 2'], ['key 3'], ['key 4']]);
    expect(world.results).toEqual(['1 done', '2 done', '3 done', '4 done']);
    expect(world.streams()).toBe(1);
  });

  test('what may be sent is noted before it is written', async () => {
    const world = createWorld(threeChunks(), doAll);
    await world.run();
    const { events } = world;
    expect(events.indexOf('send 2')).toBeLessThan(events.indexOf('write key 1,key 2'));
    expect(events.indexOf('send 3')).toBeLessThan(events.indexOf('write key 3'));
    expect(events.filter((event) => event.startsWith('send'))).toEqual([
      'send 2',
      'send 3',
      'send 4',
    ]);
  });

  test('the position is noted before any row is sent, and asked for once', async () => {
    const world = createWorld(threeChunks(), doAll, {
      onPosition: () => {
        expect(world.sent).toEqual([]);
        world.positions.push('noted');
        return Promise.resolve();
      },
    });
    await world.run();
    expect(world.positions).toEqual(['noted']);
  });

  test('a position that an earlier run has noted is not asked for again', async () => {
    const world = createWorld(threeChunks(), doAll, { position: 'earlier' });
    await world.run();
    expect(world.positions).toEqual([]);
  });

  test('a failure to note what is sent ends the run before the rows are sent', async () => {
    const onSend = () => Promise.reject(new Error('the disk is full'));
    const world = createWorld(threeChunks(), doAll, { onSend });
    await expect(world.run()).rejects.toThrow('the disk is full');
    expect(world.sent).toEqual([]);
    expect(world.cancelled()).toBe(1);
  });
});

describe('a stream that is lost', () => {
  test('rows without an answer go again under the same keys, and later ones behind them', async () => {
    const serve: Serve = (items, stream) =>
      stream === 1 && items[0]?.idempotencyKey === 'key 3'
        ? endOf('OUTCOME_UNKNOWN', { certainty: 'unknown', isTransient: true })
        : items.map(doneOf);
    const world = createWorld(threeChunks(), serve);
    expect(await world.run()).toEqual(succeed(undefined));
    expect(world.streams()).toBe(2);
    const again = world.sent.map(({ keys }) => keys.join());
    expect(again.slice(again.lastIndexOf('key 3'))).toEqual(['key 3', 'key 4']);
    expect(world.results).toEqual(['1 done', '2 done', '3 done', '4 done']);
  });

  test('rows that go again name the position from before they were first sent', async () => {
    const serve: Serve = (items, stream) =>
      stream === 1 ? endOf('DATABASE_UNAVAILABLE', { isTransient: true }) : items.map(doneOf);
    const world = createWorld([chunkOf(rowOf(1))], serve);
    await world.run();
    expect(world.positions).toEqual(['at 1']);
    expect(world.sent).toEqual([
      { keys: ['key 1'], sentSince: [undefined] },
      { keys: ['key 1'], sentSince: ['at 1'] },
    ]);
  });

  test('every stream is cancelled at its end, whatever that is', async () => {
    const serve: Serve = (items, stream) =>
      stream < 3 ? endOf('DATABASE_UNAVAILABLE', { isTransient: true }) : items.map(doneOf);
    const world = createWorld([chunkOf(rowOf(1))], serve);
    await world.run();
    expect([world.streams(), world.cancelled()]).toEqual([3, 3]);
  });

  test('a stream without an answer is cancelled at its time-out, and its rows go again', async () => {
    const serve: Serve = (items, stream) => (stream === 1 ? undefined : items.map(doneOf));
    const world = createWorld([chunkOf(rowOf(1))], serve, { timeoutMs: 30 });
    expect(await world.run()).toEqual(succeed(undefined));
    expect(world.cancelled()).toBeGreaterThanOrEqual(2);
    expect(world.events).toContain('retry: no answer in time');
    expect(world.sent.map(({ keys }) => keys)).toEqual([['key 1'], ['key 1']]);
  });

  test('a server that gives no position in time is tried again, and no row was sent', async () => {
    const world = createWorld([chunkOf(rowOf(1))], doAll, { timeoutMs: 30 });
    let opened = 0;
    const { openStream } = world.options.caller;
    Object.assign(world.options.caller, {
      openStream: async (...args: Parameters<typeof openStream>) => {
        const stream = await openStream(...args);
        opened += 1;
        if (opened === 1 && stream.ok && stream.value.ok) {
          stream.value.value.write = () => Promise.resolve();
        }
        return stream;
      },
    });
    expect(await world.run()).toEqual(succeed(undefined));
    expect(opened).toBe(2);
    expect(world.sent).toHaveLength(1);
  });

  test('too few or too many results are a loss, and never results of other rows', async () => {
    const serve: Serve = (items, stream) => {
      if (stream === 1) return [...items, ...items].map(doneOf);
      return items.map(doneOf);
    };
    const world = createWorld([chunkOf(rowOf(1), rowOf(2))], serve);
    expect(await world.run()).toEqual(succeed(undefined));
    expect(world.results).toEqual(['1 done', '2 done']);
    expect(world.events).toContain('retry: too many results came');
  });

  test('after two minutes without progress the run ends, in doubt about what was sent', async () => {
    const lost = endOf('OUTCOME_UNKNOWN', { certainty: 'unknown', isTransient: true });
    const world = createWorld([chunkOf(rowOf(1))], () => lost);
    const ended = await world.run();
    expect(ended).toMatchObject({ ok: false, failure: { exitCode: 9 } });
    expect(world.nowMs()).toBeGreaterThan(120_000);
    expect(world.results).toEqual([]);
  });

  test('a refusal that does not pass ends the run', async () => {
    const world = createWorld(threeChunks(), () =>
      endOf('PERMISSION_DENIED', { isTransient: false }),
    );
    expect(await world.run()).toMatchObject({ ok: false });
    expect(world.streams()).toBe(1);
  });

  test('a server that is not there is tried three times before anything was sent', async () => {
    let opened = 0;
    const openStream = () => {
      opened += 1;
      return Promise.resolve(succeed({ ok: false, failure: toUnsentFailure('refused') }));
    };
    const world = createWorld(threeChunks(), doAll, { caller: { openStream } });
    expect(await world.run()).toMatchObject({ ok: false, failure: { exitCode: 7 } });
    expect(opened).toBe(3);
  });

  test('a refused token is renewed once, and a second refusal ends the run', async () => {
    const renewed: boolean[] = [];
    const failure = endOf('TOKEN_EXPIRED', { isTransient: false });
    const openStream = (_method: unknown, isRenewed: boolean) => {
      renewed.push(isRenewed);
      return Promise.resolve(succeed({ ok: false, failure }));
    };
    const world = createWorld(threeChunks(), doAll, { caller: { openStream } });
    expect(await world.run()).toMatchObject({ ok: false, failure: { exitCode: 4 } });
    expect(renewed).toEqual([false, true]);
  });

  test('without a credential the run ends at once, and says whether rows are in doubt', async () => {
    const failure = fail('SIGN_IN_REQUIRED', 'not signed in; nothing was sent');
    const world = createWorld(threeChunks(), doAll, {
      caller: { openStream: () => Promise.resolve(failure) },
    });
    expect(await world.run()).toEqual(failure);
  });
});

describe('a wallet that is locked', () => {
  test('later rows of the wallet wait, others go on, and all are done in order', async () => {
    let isLocked = true;
    const chunks = [
      chunkOf(rowOf(1, 'ana'), rowOf(2, 'bia')),
      chunkOf(rowOf(3, 'ana'), rowOf(4, 'bia')),
    ];
    const serve: Serve = (items, stream) => {
      if (stream > 2) isLocked = false;
      return items.map((one) =>
        isLocked && one.userId === 'ana' ? refusalOf('WALLET_BUSY') : doneOf(one),
      );
    };
    const world = createWorld(chunks, serve);
    expect(await world.run()).toEqual(succeed(undefined));
    const ofAna = world.results.filter((text) => /^[13] /.test(text));
    expect(ofAna).toEqual(['1 done', '3 done']);
    expect(world.results.filter((text) => /^[24] /.test(text))).toEqual(['2 done', '4 done']);
    // Row 3 is first sent behind row 1, on one stream: the server keeps their order.
    const first = world.sent.find(({ keys }) => keys.includes('key 3'));
    expect(first?.keys).toEqual(['key 1', 'key 3']);
  });

  test('a wallet that stays locked ends the run after two minutes, and names the rows', async () => {
    const serve: Serve = (items) =>
      items.map((one) => (one.userId === 'ana' ? refusalOf('WALLET_BUSY') : doneOf(one)));
    const world = createWorld([chunkOf(rowOf(1, 'ana'), rowOf(2, 'bia'))], serve);
    const ended = await world.run();
    expect(ended).toMatchObject({ ok: false, failure: { reason: 'WALLET_BUSY' } });
    expect(world.results).toEqual(['2 done']);
  });
});

describe('a dry run', () => {
  test('it notes nothing, asks for no position, and a lost stream ends it', async () => {
    const serve: Serve = (items) =>
      items[0]?.idempotencyKey === 'key 3'
        ? endOf('OVERLOADED', { isTransient: true })
        : items.map(doneOf);
    const chunks = threeChunks();
    const world = createWorld(chunks, serve, { isDryRun: true });
    expect(await world.run()).toMatchObject({ ok: false, failure: { exitCode: 7 } });
    expect(world.positions).toEqual([]);
  });
});
