import { setTimeout as sleep } from 'node:timers/promises';

import { refuse, succeed, type Result } from '../../../../core/reasons.ts';
import { checkPolicy, type Access, type Principal } from '../../access/access.ts';
import { createAddressSet } from '../ingress/source.ts';
import { createAdmission, type Admission, type MethodPolicy } from './admission.ts';
import type { Incoming } from './incoming.ts';
import { loadLimits, type LoadLimits } from './load-limits.ts';

/** What is counted while nothing is in flight. */
export const nothing = { calls: 0, publicCalls: 0, callers: 0, streams: 0, unauthenticated: 0 };

const userOf = (userId: string): Principal => ({
  ...{ kind: 'user', userId, role: 'customer', sessionId: 's', apiKey: undefined },
});

/** `User X`: signed in; `Known X`: looked up before; `Service`: ours; all else is not accepted. */
const identify: Access['identify'] = (authorization) => {
  const [scheme, name = ''] = (authorization ?? '').split(' ');
  if (scheme === 'User') return Promise.resolve(succeed(userOf(name)));
  if (authorization === 'Service') return Promise.resolve(succeed({ kind: 'service' }));
  return Promise.resolve(refuse('TOKEN_INVALID', 'it is unknown'));
};

const access = {
  identify,
  isService: (authorization: string | undefined) => authorization === 'Service',
  recall: (authorization: string | undefined) =>
    authorization?.startsWith('Known ') ? userOf(authorization.slice(6)) : undefined,
  authorize: async (authorization: string | undefined, policy: MethodPolicy['policy']) => {
    const identified = await identify(authorization);
    return identified.ok && policy !== 'public'
      ? checkPolicy(identified.value, policy)
      : identified;
  },
} as unknown as Access;

/** Admission before an access that knows users by their names. */
export const create = (limits: Partial<LoadLimits> = {}): Admission =>
  createAdmission({
    access,
    proxies: createAddressSet([]),
    limits: { ...loadLimits, ...limits },
    onForwarded: () => undefined,
  });

/** The same behind a proxy that is trusted, and how often it was reported that one forwards. */
export function createBehindProxy(address: string) {
  let reports = 0;
  const world = createAdmission({
    access,
    proxies: createAddressSet([address]),
    limits: loadLimits,
    onForwarded: () => (reports += 1),
  });
  return { world, reports: () => reports };
}

export const methodOf = (change: Partial<MethodPolicy> = {}): MethodPolicy => ({
  policy: { roles: ['customer'], service: true },
  ...{ isStream: false, isOneRequest: true, limit: undefined },
  onDenied: () => undefined,
  ...change,
});

export const callOf = (change: Partial<Incoming> = {}): Incoming => ({
  ...{ requestId: 'r', authorization: 'User ana', peer: '192.0.2.1:9', peerAddress: '192.0.2.1' },
  ...{ forwardedFor: [], origin: 'remote', deadlineMs: Infinity },
  listForwardingHeaders: () => [],
  isCancelled: () => false,
  onceOver: () => undefined,
  ...change,
});

/** Work that ends when the test says how. */
export function hold() {
  let answer: (result: Result<string>) => void = () => undefined;
  let fail: (err: Error) => void = () => undefined;
  const ended = new Promise<Result<string>>((resolve, reject) => {
    answer = resolve;
    fail = reject;
  });
  let begun = 0;
  const work = (): Promise<Result<string>> => {
    begun += 1;
    return ended;
  };
  return { work, answer, fail, begun: () => begun };
}

export const reasonOf = (result: Result<unknown>): string =>
  result.ok ? 'ok' : result.rejection.reason;
export const inTurn = (): Promise<void> => sleep(5);
