import { describe, expect, it } from 'vitest';

import { refuse, succeed, type Rejection, type Result } from '../../../../core/reasons.ts';
import { hold, inTurn, reasonOf } from './test-support.ts';
import type { OpenStream } from './stream-slots.ts';
import { createUserCalls } from './user-calls.ts';

const limits = {
  ...{ userCalls: 2, streams: 4, userStreams: 3, streamIdleMs: 60_000, streamSettleMs: 60_000 },
};
const unary = { isStream: false, isOneRequest: true, limit: undefined };
const stream = { isStream: true, isOneRequest: true, limit: undefined };
const done = () => Promise.resolve(succeed('done'));

describe('calls of users', () => {
  it('a user is full from the last call that is admitted until one of them ends', async () => {
    const calls = createUserCalls(limits);
    const [first, second] = [hold(), hold()];
    const running = [first, second].map(({ work }) => calls.run('ana', unary, {}, work));
    expect([calls.isFull('ana'), calls.isFull('bia'), calls.isAnyFull()]).toEqual([
      ...[true, false, true],
    ]);
    const refused = await calls.run('ana', unary, {}, done);
    expect(refused).toBe(calls.tooManyOfUser);
    expect(refused).toMatchObject({ rejection: { reason: 'OVERLOADED' } });
    expect(refused.ok ? '' : refused.rejection.message).toContain('more than 2 calls');
    // A refusal takes nothing, and gives nothing back.
    expect(calls.isFull('ana')).toBe(true);
    first.answer(succeed('done'));
    await running[0];
    expect([calls.isFull('ana'), calls.isAnyFull()]).toEqual([false, false]);
    expect(await calls.run('ana', unary, {}, done)).toEqual(succeed('done'));
    second.answer(succeed('done'));
    await running[1];
    expect(calls.readCounts()).toEqual({ callers: 0, streams: 0 });
  });

  it('a user with fewer calls than the limit is not full', async () => {
    const calls = createUserCalls(limits);
    const { work, answer } = hold();
    const running = calls.run('ana', unary, {}, work);
    expect([calls.isFull('ana'), calls.isAnyFull()]).toEqual([false, false]);
    answer(succeed('done'));
    await running;
  });
});

describe('streams of users', () => {
  it('a method has fewer slots than others where it says so, and never more', async () => {
    const open = async (slots: { all: number; ofOne: number }, users: readonly string[]) => {
      const calls = createUserCalls(limits);
      const entry = { ...stream, slots };
      const held = users.map((user) => ({ user, ...hold() }));
      const results = held.map(({ user, work }) => calls.run(user, entry, {}, work));
      await inTurn();
      for (const { answer } of held) answer(succeed('done'));
      return (await Promise.all(results)).map(reasonOf);
    };
    const many = ['a', 'b', 'c', 'd', 'e'];
    expect(await open({ all: 1, ofOne: 9 }, many)).toEqual([
      ...['ok', 'OVERLOADED', 'OVERLOADED', 'OVERLOADED', 'OVERLOADED'],
    ]);
    expect(await open({ all: 9, ofOne: 9 }, many)).toEqual([
      ...['ok', 'ok', 'ok', 'ok', 'OVERLOADED'],
    ]);
    expect(await open({ all: 9, ofOne: 1 }, ['a', 'a', 'b'])).toEqual(['ok', 'OVERLOADED', 'ok']);
    expect(await open({ all: 9, ofOne: 9 }, ['a', 'a', 'a', 'a'])).toEqual([
      ...['ok', 'ok', 'ok', 'OVERLOADED'],
    ]);
  });

  it('each method has slots of its own', async () => {
    const calls = createUserCalls({ ...limits, streams: 1 });
    const [one, other] = [{ ...stream }, { ...stream }];
    const first = hold();
    const running = calls.run('ana', one, {}, first.work);
    expect(reasonOf(await calls.run('bia', one, {}, done))).toBe('OVERLOADED');
    expect(reasonOf(await calls.run('bia', other, {}, done))).toBe('ok');
    expect(calls.readCounts()).toEqual({ callers: 0, streams: 1 });
    first.answer(succeed('done'));
    await running;
    expect(calls.readCounts()).toEqual({ callers: 0, streams: 0 });
  });

  it('the slot of a stream is given back where its work throws', async () => {
    const calls = createUserCalls({ ...limits, streams: 1 });
    const failing = () => Promise.reject(new Error('a defect'));
    await expect(calls.run('ana', stream, {}, failing)).rejects.toThrow('a defect');
    expect(reasonOf(await calls.run('bia', stream, {}, done))).toBe('ok');
  });

  it('a stop finishes streams of methods that were not called before', async () => {
    const calls = createUserCalls(limits);
    calls.finishStreams(refuse('SHUTTING_DOWN', 'it stops').rejection);
    const work = async (context: { stream?: OpenStream }): Promise<Result<string>> => {
      const rejection = await new Promise<Rejection>((resolve) => {
        context.stream?.onFinish(resolve);
      });
      return succeed(rejection.reason);
    };
    expect(await calls.run('ana', { ...stream }, {}, work)).toEqual(succeed('SHUTTING_DOWN'));
  });
});

it('a stream of a user that does nothing is ended after the idle time', async () => {
  const calls = createUserCalls({ ...limits, streamIdleMs: 20 });
  const work = async (context: { stream?: OpenStream }): Promise<Result<string>> => {
    const rejection = await new Promise<Rejection>((resolve) => context.stream?.onEnd(resolve));
    return succeed(rejection.reason);
  };
  const entry = { ...stream, isOneRequest: false };
  expect(await calls.run('ana', entry, {}, work)).toEqual(succeed('STREAM_IDLE'));
});
