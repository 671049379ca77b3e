import { describe, expect, it } from 'vitest';

import { refuse, succeed } from '../../../../core/reasons.ts';
import type { MethodPolicy } from './admission.ts';
import type { Incoming } from './incoming.ts';
import type { LoadLimits } from './load-limits.ts';
import { callOf, create, hold, inTurn, methodOf, nothing, reasonOf } from './test-support.ts';

/** Calls of each kind, and what is counted while one is in flight. */
const kinds: Readonly<Record<string, [Partial<Incoming>, Partial<MethodPolicy>, object]>> = {
  'of a user': [{}, {}, { calls: 1, callers: 1 }],
  'of a user who was verified before': [
    { authorization: 'Known ana' },
    {},
    { calls: 1, callers: 1 },
  ],
  'without a credential': [
    { authorization: undefined },
    { policy: 'public' },
    { calls: 1, publicCalls: 1 },
  ],
  'of another service': [{ authorization: 'Service' }, {}, { calls: 1 }],
  'of a service in this process': [{ principal: { kind: 'service' } }, {}, {}],
  'with a stream of requests': [
    {},
    { isStream: true, isOneRequest: false },
    { calls: 1, streams: 1 },
  ],
  'with a stream of answers': [{}, { isStream: true }, { calls: 1, streams: 1 }],
};

describe.each(Object.entries(kinds))('a call %s', (_name, [call, method, counted]) => {
  it.each([
    ['succeeds', 'ok'],
    ['is refused', 'INSUFFICIENT_FUNDS'],
    ['throws', 'thrown'],
  ])('is counted until it %s', async (how, expected) => {
    const admission = create();
    const { work, answer, fail } = hold();
    const running = admission
      .run(callOf(call), methodOf(method), work)
      .then(reasonOf, () => 'thrown');
    await inTurn();
    expect(admission.readCounts()).toEqual({ ...nothing, ...counted });
    expect(admission.inFlight()).toBe('principal' in call ? 0 : 1);
    if (how === 'succeeds') answer(succeed('done'));
    else if (how === 'is refused') answer(refuse('INSUFFICIENT_FUNDS', 'no'));
    else fail(new Error('a defect'));
    expect(await running).toBe(expected);
    expect(admission.readCounts()).toEqual(nothing);
    expect(admission.inFlight()).toBe(0);
  });
});

describe('limits', () => {
  /** Fills a limit of one; gives what a second call gets, and a third after the first has ended. */
  async function fill(
    limits: Partial<LoadLimits>,
    [call, method]: [Partial<Incoming>, Partial<MethodPolicy>],
    other: Partial<Incoming> = call,
  ) {
    const admission = create(limits);
    const entry = methodOf(method);
    const first = hold();
    const running = admission.run(callOf(call), entry, first.work);
    await inTurn();
    const more = hold();
    more.answer(succeed('done'));
    const second = reasonOf(await admission.run(callOf(other), entry, more.work));
    const begun = more.begun();
    first.answer(succeed('done'));
    await running;
    const third = reasonOf(await admission.run(callOf(other), entry, more.work));
    return { second, begun, third, left: admission.readCounts() };
  }
  const refused = { second: 'OVERLOADED', begun: 0, third: 'ok', left: nothing };
  const admitted = { second: 'ok', begun: 1, third: 'ok', left: nothing };
  const bia = { authorization: 'User bia' };
  const publicCall: [Partial<Incoming>, Partial<MethodPolicy>] = [
    { authorization: undefined },
    { policy: 'public' },
  ];

  it('a call past the limit of all is refused, and the next one after an end is admitted', async () => {
    expect(await fill({ all: 1 }, [{}, {}], bia)).toEqual(refused);
  });

  it('services have a limit of their own, of the same number', async () => {
    expect(await fill({ all: 1 }, [{}, {}], { authorization: 'Service' })).toEqual(admitted);
    expect(await fill({ all: 1 }, [{ authorization: 'Service' }, {}])).toEqual(refused);
    expect(await fill({ all: 1 }, [{ authorization: 'Service' }, {}], bia)).toEqual(admitted);
  });

  it('a user at the limit of calls does not take calls from another user', async () => {
    expect(await fill({ userCalls: 1 }, [{}, {}])).toEqual(refused);
    expect(await fill({ userCalls: 1 }, [{}, {}], bia)).toEqual(admitted);
  });

  it('a user at the limit of streams does not take streams from another user', async () => {
    const stream = { isStream: true };
    expect(await fill({ userStreams: 1 }, [{}, stream])).toEqual(refused);
    expect(await fill({ userStreams: 1 }, [{}, stream], bia)).toEqual(admitted);
    expect(await fill({ streams: 1 }, [{}, stream], bia)).toEqual(refused);
  });

  it('a network at the limit of public calls does not take calls from another one', async () => {
    const elsewhere = { ...publicCall[0], peerAddress: '198.51.100.7' };
    expect(await fill({ publicCallsOfSource: 1 }, publicCall)).toEqual(refused);
    expect(await fill({ publicCallsOfSource: 1 }, publicCall, elsewhere)).toEqual(admitted);
  });

  it('programs on this machine have a limit of public calls of their own', async () => {
    const local = { ...publicCall[0], peerAddress: '127.0.0.1', origin: 'local' as const };
    const ofHost: typeof publicCall = [local, publicCall[1]];
    expect(await fill({ publicCallsOfHost: 1 }, ofHost)).toEqual(refused);
    expect(await fill({ publicCallsOfSource: 1 }, ofHost)).toEqual(admitted);
    // The address alone does not make a call one of this machine: a proxy has it, too.
    const forwarded = { ...local, origin: 'forwarded' as const };
    const byProxy: typeof publicCall = [forwarded, publicCall[1]];
    expect(await fill({ publicCallsOfSource: 1 }, byProxy)).toEqual(refused);
  });

  it('past the limit of all public calls only a network without any is admitted', async () => {
    const elsewhere = { ...publicCall[0], peerAddress: '198.51.100.7' };
    expect(await fill({ publicCalls: 1 }, publicCall)).toEqual(refused);
    expect(await fill({ publicCalls: 1 }, publicCall, elsewhere)).toEqual(admitted);
  });

  it('calls of services in this process are not limited', async () => {
    const inProcess: [Partial<Incoming>, object] = [{ principal: { kind: 'service' } }, {}];
    expect(await fill({ all: 0 }, inProcess)).toEqual(admitted);
  });
});
