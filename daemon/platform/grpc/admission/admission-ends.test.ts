import { describe, expect, it } from 'vitest';

import {
  refuse,
  succeed,
  type Reason,
  type Rejection,
  type Result,
} from '../../../../core/reasons.ts';
import { tooManyUnknown } from '../../access/api-keys.ts';
import { isUnauthenticated, type CallContext, type MethodPolicy } from './admission.ts';
import type { Incoming } from './incoming.ts';
import {
  callOf,
  create,
  createBehindProxy,
  hold,
  inTurn,
  methodOf,
  nothing,
  reasonOf,
} from './test-support.ts';

describe('rights', () => {
  /** A method for admins, and what was reported of it. */
  function createStaffOnly() {
    const denied: { readonly context: CallContext; readonly rejection: Rejection }[] = [];
    const policy: MethodPolicy['policy'] = { roles: ['admin'] };
    const onDenied: MethodPolicy['onDenied'] = (context, rejection) =>
      denied.push({ context, rejection });
    return { denied, staffOnly: methodOf({ policy, onDenied }) };
  }
  const done = () => Promise.resolve(succeed('done'));

  it('a call without a right is reported once, with its caller, and leaves nothing counted', async () => {
    const admission = create();
    const { denied, staffOnly } = createStaffOnly();
    expect(reasonOf(await admission.run(callOf(), staffOnly, done))).toBe('PERMISSION_DENIED');
    expect(denied).toHaveLength(1);
    expect(denied[0]?.context.principal).toMatchObject({ userId: 'ana' });
    const byService = callOf({ authorization: 'Service' });
    expect(reasonOf(await admission.run(byService, staffOnly, done))).toBe('PERMISSION_DENIED');
    expect(denied[1]?.context.principal).toEqual({ kind: 'service' });
    expect(admission.readCounts()).toEqual(nothing);
  });

  it('a credential that is not accepted begins no work, and is not reported as a denial', async () => {
    const admission = create();
    const { denied, staffOnly } = createStaffOnly();
    const { work, begun } = hold();
    const answer = await admission.run(callOf({ authorization: 'x' }), staffOnly, work);
    expect(reasonOf(answer)).toBe('TOKEN_INVALID');
    expect([begun(), denied]).toEqual([0, []]);
    expect(admission.readCounts()).toEqual(nothing);
  });

  it('a refused credential is found before a call is read', async () => {
    const { findRefusedCredential } = create();
    const found = async (authorization: string) =>
      (await findRefusedCredential(methodOf(), callOf({ authorization })))?.reason;
    expect(await found('x')).toBe('TOKEN_INVALID');
    expect(await found('User ana')).toBeUndefined();
    expect(await found('Known ana')).toBeUndefined();
    // A missing right is no matter of the credential.
    expect(await findRefusedCredential(createStaffOnly().staffOnly, callOf())).toBeUndefined();
  });
});

describe('refusals of credentials', () => {
  it('they are those of callers whose credential was not accepted, or not looked at', () => {
    const of = (reason: Reason) => isUnauthenticated(refuse(reason, 'no').rejection);
    expect(
      ['TOKEN_INVALID', 'CREDENTIALS_MISSING', 'AUTH_UNAVAILABLE'].map((r) => of(r as Reason)),
    ).toEqual([true, true, true]);
    expect(
      ['PERMISSION_DENIED', 'OVERLOADED', 'USER_NOT_FOUND'].map((r) => of(r as Reason)),
    ).toEqual([false, false, false]);
    expect(isUnauthenticated(tooManyUnknown)).toBe(true);
  });
});

describe('what a handler knows of its call', () => {
  const contextOf = async (call: Partial<Incoming>, world = create()) => {
    let context: CallContext | undefined;
    await world.run(callOf(call), methodOf(), (given) => {
      context = given;
      return Promise.resolve(succeed('done'));
    });
    return context;
  };

  it('the address is that of the peer where nothing was forwarded', async () => {
    expect(await contextOf({})).toMatchObject({ source: '192.0.2.1', isLocal: false });
    expect(await contextOf({ origin: 'local' })).toMatchObject({ isLocal: true });
  });

  it('what a peer forwards counts only from a proxy that is trusted', async () => {
    const forwardedFor = ['198.51.100.7'];
    expect((await contextOf({ forwardedFor, origin: 'forwarded' }))?.source).toBe('192.0.2.1');
    const { world, reports } = createBehindProxy('192.0.2.1');
    expect((await contextOf({ forwardedFor, origin: 'forwarded' }, world))?.source).toBe(
      '198.51.100.7',
    );
    await contextOf({}, world);
    expect(reports()).toBe(1);
  });

  it('it hears that the caller has gone', async () => {
    let isGone = false;
    const context = await contextOf({ isCancelled: () => isGone });
    expect(context?.isCancelled()).toBe(false);
    isGone = true;
    expect(context?.isCancelled()).toBe(true);
  });
});

describe('calls of services in this process', () => {
  const inProcess = callOf({ principal: { kind: 'service' } });

  it('they are denied what services may not do, and that is reported', async () => {
    const denied: string[] = [];
    const method = methodOf({
      policy: { roles: ['admin'] },
      onDenied: ({ principal }, { reason }) => denied.push(`${principal.kind} ${reason}`),
    });
    const { work, begun } = hold();
    expect(reasonOf(await create().run(inProcess, method, work))).toBe('PERMISSION_DENIED');
    expect([begun(), denied]).toEqual([0, ['service PERMISSION_DENIED']]);
  });

  it('a refusal that is no denial is not reported', async () => {
    const denied: string[] = [];
    const onDenied: MethodPolicy['onDenied'] = (_context, { reason }) => denied.push(reason);
    const anonymous = callOf({ principal: { kind: 'anonymous' } });
    const { work } = hold();
    const answer = await create().run(anonymous, methodOf({ onDenied }), work);
    expect([reasonOf(answer), denied]).toEqual(['CREDENTIALS_MISSING', []]);
  });
});

describe('time', () => {
  it('a stream is not answered at a deadline: its handler ends it', async () => {
    const { work, answer } = hold();
    const call = callOf({ deadlineMs: performance.now() + 10 });
    const running = create().run(call, methodOf({ isStream: true }), work);
    setTimeout(() => answer(succeed('done')), 60);
    expect(reasonOf(await running)).toBe('ok');
  });

  it('a call is answered at its deadline, and counted until its work has ended', async () => {
    const admission = create();
    const { work, answer } = hold();
    const call = callOf({ deadlineMs: performance.now() + 20 });
    expect(reasonOf(await admission.run(call, methodOf(), work))).toBe('DEADLINE_EXCEEDED');
    expect(admission.readCounts()).toMatchObject({ calls: 1, callers: 1 });
    answer(succeed('late'));
    await inTurn();
    expect(admission.readCounts()).toEqual(nothing);
  });

  it('a call without a deadline gets one of ours, and a stream gets none', async () => {
    const admission = create();
    const deadlines: number[] = [];
    const work = ({ deadlineMs }: CallContext) => {
      deadlines.push(deadlineMs);
      return Promise.resolve(succeed('done'));
    };
    const beforeMs = performance.now();
    await admission.run(callOf(), methodOf(), work);
    await admission.run(callOf(), methodOf({ isStream: true }), work);
    expect(deadlines[0]).toBeGreaterThanOrEqual(beforeMs + 30_000);
    expect(deadlines[0]).toBeLessThanOrEqual(performance.now() + 30_000);
    expect(deadlines[1]).toBe(Infinity);
  });

  it('a stop that does not wait answers what is in flight as of unknown outcome', async () => {
    const admission = create();
    const { work, answer } = hold();
    const running = admission.run(callOf(), methodOf(), work);
    await inTurn();
    admission.cut();
    expect(reasonOf(await running)).toBe('OUTCOME_UNKNOWN');
    answer(succeed('late'));
    await inTurn();
    expect(admission.readCounts()).toEqual(nothing);
  });

  it('who waits for a cut is called once, and not after withdrawing', () => {
    const admission = create();
    let calls = 0;
    const withdraw = admission.onCut(() => (calls += 1));
    admission.cut();
    withdraw();
    admission.cut();
    expect(calls).toBe(1);
  });

  it('a stop ends streams that are open and those that are opened later', async () => {
    const admission = create();
    const reasons: string[] = [];
    const work = async ({ stream }: CallContext): Promise<Result<string>> => {
      const rejection = await new Promise<Rejection>((resolve) => stream?.onFinish(resolve));
      reasons.push(rejection.reason);
      return succeed('done');
    };
    const entry = methodOf({ isStream: true, isOneRequest: false });
    const open = admission.run(callOf(), entry, work);
    await inTurn();
    admission.finish();
    await Promise.all([open, admission.run(callOf(), entry, work)]);
    expect(reasons).toEqual(['SHUTTING_DOWN', 'SHUTTING_DOWN']);
    expect(admission.readCounts()).toEqual(nothing);
  });
});

describe('adaptive limits', () => {
  it.each([
    ['succeeds', [true]],
    ['is refused', [false]],
    ['throws', [false]],
  ])('a call that %s gives its permit back once', async (how, expected) => {
    const releases: boolean[] = [];
    let held = 0;
    const acquire = () => {
      held += 1;
      return {
        release: (isAnswered: boolean) => {
          held -= 1;
          releases.push(isAnswered);
        },
      };
    };
    const entry = methodOf({ limit: { isFull: () => false, acquire } });
    const work = (): Promise<Result<string>> => {
      if (how === 'throws') return Promise.reject(new Error('a defect'));
      return Promise.resolve(how === 'succeeds' ? succeed('') : refuse('WALLET_FROZEN', 'no'));
    };
    await create()
      .run(callOf(), entry, work)
      .catch(() => undefined);
    expect([releases, held]).toEqual([expected, 0]);
  });

  it('a full limit refuses the call before its work, and takes no permit', async () => {
    const acquire = () => {
      throw new Error('no permit is to be taken');
    };
    const entry = methodOf({ limit: { isFull: () => true, acquire } });
    const admission = create();
    const { work, begun } = hold();
    expect(reasonOf(await admission.run(callOf(), entry, work))).toBe('OVERLOADED');
    expect(begun()).toBe(0);
    expect(admission.readCounts()).toEqual(nothing);
  });
});
