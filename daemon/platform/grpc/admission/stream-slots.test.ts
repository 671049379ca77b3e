import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { refuse, type Rejection } from '../../../../core/reasons.ts';
import { createStreamSlots, type OpenStream, type StreamLimits } from './stream-slots.ts';

const limits: StreamLimits = { all: 3, ofOne: 2, idleMs: 10_000, settleMs: 500 };
const { rejection: stopping } = refuse('SHUTTING_DOWN', 'it stops');
let nowMs: number;

beforeEach(() => {
  vi.useFakeTimers();
  nowMs = 1_000;
});
afterEach(() => vi.useRealTimers());

const pass = (durationMs: number): void => {
  for (let passed = 0; passed < durationMs; passed += 100) {
    nowMs += 100;
    vi.advanceTimersByTime(100);
  }
};

function create(change: Partial<StreamLimits> = {}) {
  const slots = createStreamSlots({ ...limits, ...change }, () => nowMs);
  const ends: string[] = [];
  /** Opens a stream that notes its end, and frees its slot then. */
  const open = (name: string, isOneRequest = false): OpenStream => {
    const taken = slots.take(name.charAt(0), isOneRequest);
    if (!taken.ok) throw new Error(taken.rejection.message);
    taken.value.onEnd(({ reason }) => {
      ends.push(`${name} ${reason}`);
      taken.value.release();
    });
    return taken.value;
  };
  const refusalOf = (caller: string): Rejection | undefined => {
    const taken = slots.take(caller, false);
    return taken.ok ? undefined : taken.rejection;
  };
  return { slots, ends, open, refusalOf };
}

describe('slots of streams', () => {
  it('one caller has no more streams than its share, and the answer says how many', () => {
    const { open, refusalOf } = create();
    open('a1').beginRequest();
    open('a2').beginRequest();
    expect(refusalOf('a')).toMatchObject({ reason: 'OVERLOADED', metadata: { limit: '2' } });
    open('b1');
  });

  it('a caller at its share gets no slot of its own idle streams', () => {
    const { open, refusalOf, ends } = create();
    for (const name of ['a1', 'a2']) open(name);
    pass(5_000);
    expect(refusalOf('a')?.reason).toBe('OVERLOADED');
    expect(ends).toEqual([]);
  });

  it('where all slots are busy no caller gets another, and the answer has their number', () => {
    const { slots, open, refusalOf, ends } = create();
    for (const name of ['a1', 'b1', 'c1']) open(name).beginRequest();
    pass(1_000);
    expect(refusalOf('d')).toMatchObject({ reason: 'OVERLOADED', metadata: { limit: '3' } });
    expect(slots.size()).toBe(3);
    expect(ends).toEqual([]);
  });

  it('a slot that is given back is free for any caller', () => {
    const { slots, open } = create({ all: 1 });
    const first = open('a1');
    first.release();
    expect(slots.size()).toBe(0);
    const second = open('b1');
    // A second time it gives back nothing of others.
    first.release();
    expect(slots.size()).toBe(1);
    second.release();
    expect(slots.size()).toBe(0);
  });

  it('a newcomer gets the slot of the longest idle stream of who has most', () => {
    const { slots, open, ends } = create();
    open('a1');
    pass(100);
    open('a2');
    open('b1');
    pass(500);
    open('c1');
    expect(ends).toEqual(['a1 OVERLOADED']);
    expect(slots.size()).toBe(3);
  });

  it('a stream that did something within the settling time keeps its slot', () => {
    const { open, refusalOf, ends } = create();
    for (const name of ['a1', 'a2', 'b1']) open(name);
    pass(400);
    expect(refusalOf('c')?.reason).toBe('OVERLOADED');
    expect(ends).toEqual([]);
    pass(100);
    open('c1');
    expect(ends).toEqual(['a1 OVERLOADED']);
  });
});

describe('idle streams', () => {
  it('a stream without a request is ended after the idle time, and not before', () => {
    const { open, ends } = create();
    open('a1');
    pass(9_900);
    expect(ends).toEqual([]);
    pass(1_000);
    expect(ends).toEqual(['a1 STREAM_IDLE']);
  });

  it('the answer to an idle stream says for how long nothing came', () => {
    const { slots } = create();
    const taken = slots.take('a', false);
    const rejections: Rejection[] = [];
    if (taken.ok) taken.value.onEnd((rejection) => rejections.push(rejection));
    pass(30_000);
    expect(rejections).toHaveLength(1);
    expect(rejections[0]).toMatchObject({
      reason: 'STREAM_IDLE',
      message: 'nothing was sent or read for 10 s: open another stream to go on',
      metadata: { idleSeconds: '10' },
    });
  });

  it('what is in flight keeps a stream open, and the idle time begins at its end', () => {
    const { open, ends } = create();
    const stream = open('a1');
    stream.beginRequest();
    stream.beginRequest();
    pass(30_000);
    stream.finishRequest();
    pass(30_000);
    expect(stream.findIdleSinceMs()).toBeUndefined();
    stream.finishRequest();
    expect(stream.findIdleSinceMs()).toBe(nowMs);
    pass(9_900);
    expect(ends).toEqual([]);
    pass(1_100);
    expect(ends).toEqual(['a1 STREAM_IDLE']);
  });

  it('each request begins the idle time anew', () => {
    const { open, ends } = create();
    const stream = open('a1');
    for (let i = 0; i < 5; i += 1) {
      pass(9_000);
      stream.beginRequest();
      stream.finishRequest();
    }
    expect(ends).toEqual([]);
  });

  it('a stream of one request is in flight to its end', () => {
    const { open, ends } = create();
    expect(open('a1', true).findIdleSinceMs()).toBeUndefined();
    pass(60_000);
    expect(ends).toEqual([]);
  });

  it('a caller that does not read answers is idle, whatever is in flight', () => {
    const { open, ends } = create();
    const stream = open('a1', true);
    pass(5_000);
    stream.beginStall();
    const stalledAtMs = nowMs;
    pass(5_000);
    stream.beginStall();
    expect(stream.findIdleSinceMs()).toBe(stalledAtMs);
    stream.finishStall();
    expect(stream.findIdleSinceMs()).toBeUndefined();
    pass(20_000);
    expect(ends).toEqual([]);
    stream.beginStall();
    pass(11_000);
    expect(ends).toEqual(['a1 STREAM_IDLE']);
  });

  it('the end of a stall begins the idle time of a stream without requests anew', () => {
    const { open } = create();
    const stream = open('a1');
    stream.beginStall();
    pass(5_000);
    stream.finishStall();
    expect(stream.findIdleSinceMs()).toBe(nowMs);
  });

  it('idle times shorter than a second are kept, too', () => {
    const { open, ends } = create({ idleMs: 200 });
    open('a1');
    pass(400);
    expect(ends).toEqual(['a1 STREAM_IDLE']);
  });

  it('nothing is looked at while no stream is open, and again once one is', () => {
    const { open, ends } = create();
    open('a1').release();
    expect(vi.getTimerCount()).toBe(0);
    const [one, other] = [open('a2'), open('b1')];
    one.release();
    expect(vi.getTimerCount()).toBe(1);
    pass(11_000);
    expect(ends).toEqual(['b1 STREAM_IDLE']);
    expect(vi.getTimerCount()).toBe(0);
    other.release();
  });
});

describe('the end of a stream', () => {
  it('it is given once, to those who listen and to those who will', () => {
    const { slots } = create();
    const taken = slots.take('a', false);
    if (!taken.ok) throw new Error('no slot');
    const heard: string[] = [];
    taken.value.onEnd(({ reason }) => heard.push(`first ${reason}`));
    taken.value.end(stopping);
    taken.value.end(refuse('OVERLOADED', 'again').rejection);
    taken.value.onEnd(({ reason }) => heard.push(`late ${reason}`));
    expect(heard).toEqual(['first SHUTTING_DOWN', 'late SHUTTING_DOWN']);
  });

  it('a stop finishes the streams that are open, and those that are opened later', () => {
    const { slots, open, ends } = create();
    const heard: string[] = [];
    open('a1').onFinish(({ reason }) => heard.push(`open ${reason}`));
    slots.finish(stopping);
    open('b1').onFinish(({ reason }) => heard.push(`later ${reason}`));
    expect(heard).toEqual(['open SHUTTING_DOWN', 'later SHUTTING_DOWN']);
    // What is in flight is answered first.
    expect(ends).toEqual([]);
  });
});
