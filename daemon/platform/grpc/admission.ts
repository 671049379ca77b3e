import { setTimeout as sleep } from 'node:timers/promises';

import { networkOf } from '../../../core/networks.ts';
import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import type { Access, Policy, Principal } from '../access.ts';
import { createFairSemaphore, type FairSemaphore } from '../concurrency/fair-semaphore.ts';
import { runPausable } from '../concurrency/pausable.ts';
import type { Fit } from './fit.ts';
import type { Incoming } from './incoming.ts';
import { findSource, loopback, type AddressSet } from './source.ts';

/** What a handler knows of its call besides the request. */
export type CallContext = {
  readonly requestId: string;
  readonly principal: Principal;
  /** The address that the call came from, without a port: of the caller, past trusted proxies. */
  readonly source: string;
  /**
   * The caller's deadline, or ours where it set none; milliseconds since the epoch. Infinity for a
   * stream without one.
   */
  readonly deadlineMs: number;
  /** True once the caller has gone: nothing need be begun for it any more. */
  isCancelled(): boolean;
  /**
   * Runs work that uses no connection of the database without the permit of this call, so that
   * another call takes its place meanwhile. Absent where no permit is needed.
   */
  readonly pause?: <T>(work: () => Promise<T>) => Promise<T>;
};

/** What is asked of the door for one method. */
export type Entry = {
  readonly policy: Policy;
  readonly isStream: boolean;
  /** Told of each refusal for want of rights. */
  readonly onDenied: (context: CallContext, rejection: Rejection) => void;
  /** Where calls wait for one another: how many are taken on at once. */
  readonly fit: Fit | undefined;
};

/** Where calls are counted, so that nobody can take everything. */
export type Admission = {
  inFlight(): number;
  /** A refusal where a call need not be read: there is no room for it, whoever it is from. */
  findExcess(entry: Entry, authorization: string | undefined): Excess | undefined;
  /**
   * Lets a call in, runs the work, and counts the call out again. CREDENTIALS_MISSING and the like,
   * PERMISSION_DENIED, OVERLOADED.
   */
  run<T>(
    call: Incoming,
    entry: Entry,
    work: (context: CallContext) => Promise<Result<T>>,
  ): Promise<Result<T>>;
};

type Excess = { readonly ok: false; readonly rejection: Rejection };

export type LoadLimits = {
  /** Calls in hand in this process, of everybody. */
  readonly all: number;
  /** Unary calls in hand of one user. */
  readonly userCalls: number;
  /** Streams of one user. */
  readonly userStreams: number;
  /**
   * Calls in hand that need no credential, of everybody. Past it, a network with none in hand still
   * gets one, up to twice as many in all. This machine gets half.
   */
  readonly publicCalls: number;
  /** The same, from one network that is not this machine. */
  readonly publicCallsOfSource: number;
};

export const loadLimits: LoadLimits = {
  all: 4_096,
  userCalls: 1_024,
  userStreams: 100,
  publicCalls: 1_000,
  publicCallsOfSource: 100,
};

const defaultDeadlineMs = 30_000;

/**
 * Calls without a credential that use the database at once: auth's has ten connections for
 * everybody (app.ts), and these leave two to those who are signed in.
 */
const publicAtOnce = 8;
/** Of one method, so that a flood of sign-ins does not hold up the refresh of sessions. */
const publicAtOnceOfMethod = 4;

export function createAdmission(options: {
  readonly access: Access;
  readonly proxies: AddressSet;
  readonly limits: LoadLimits;
}): Admission {
  const { access, proxies, limits } = options;
  const runPublic = createPublicRun(limits);
  const runOfUser = createUserRun(limits);
  let inFlight = 0;

  return {
    inFlight: () => inFlight,
    findExcess: ({ fit }, authorization) => {
      if (fit?.isFull()) return tooSlow;
      // Whether it is truly one of our own services is looked at with the rest.
      return inFlight < limits.all || isOfService(authorization) ? undefined : tooMuchInHand;
    },
    run: async (call, entry, work) => {
      const contextOf = (principal: Principal): CallContext =>
        createContext(call, principal, entry, proxies);
      inFlight += 1;
      try {
        // Our own services are let in past the caps: without their feed of revocations nobody is.
        const isOurs =
          isOfService(call.authorization) && (await isOwnService(access, call.authorization));
        if (inFlight > limits.all && !isOurs) return tooMuchInHand;
        if (entry.policy === 'public' && !isOurs) {
          return await runPublic(entry, contextOf({ kind: 'anonymous' }), work);
        }
        const known = access.recall(call.authorization, entry.policy);
        const principal = known
          ? succeed(known)
          : await authorize(access, call.authorization, entry, contextOf);
        if (!principal.ok) return principal;
        const context = contextOf(principal.value);
        return principal.value.kind === 'user'
          ? await runOfUser(principal.value.userId, entry, () => work(context))
          : await work(context);
      } finally {
        inFlight -= 1;
      }
    },
  };
}

function createContext(
  call: Incoming,
  principal: Principal,
  { isStream }: Entry,
  proxies: AddressSet,
): CallContext {
  const { forwardedFor, peerAddress } = call;
  return {
    requestId: call.requestId,
    principal,
    source:
      forwardedFor.length === 0 ? peerAddress : findSource(peerAddress, forwardedFor, proxies),
    deadlineMs: Math.min(call.deadlineMs, isStream ? Infinity : Date.now() + defaultDeadlineMs),
    isCancelled: () => call.isCancelled(),
  };
}

/**
 * Calls without a credential: capped, a few at once, and fewer of one method. Networks take turns,
 * so that one that asks for much waits behind itself.
 */
function createPublicRun(limits: LoadLimits) {
  const sources = createCounts();
  const semaphoreOf = (maxAtOnce: number): FairSemaphore =>
    createFairSemaphore({ maxAtOnce, maxWaiting: 2 * limits.publicCalls, maxWaitingOf: [] });
  const all = semaphoreOf(publicAtOnce);
  const ofMethod = new WeakMap<Entry, FairSemaphore>();
  const delayed = createDelay(limits);
  let inHand = 0;
  return async <T>(
    entry: Entry,
    context: CallContext,
    work: (context: CallContext) => Promise<Result<T>>,
  ): Promise<Result<T>> => {
    const network = networkOf(context.source);
    const isHere = loopback.has(context.source);
    const most = isHere ? Math.ceil(limits.publicCalls / 2) : limits.publicCallsOfSource;
    const isFull = inHand >= limits.publicCalls * (sources.has(network) ? 1 : 2);
    if (isFull || !sources.take(network, most)) {
      await delayed.run(network);
      return tooManyLikeThis;
    }
    const method = ofMethod.get(entry) ?? semaphoreOf(publicAtOnceOfMethod);
    ofMethod.set(entry, method);
    inHand += 1;
    try {
      const turn = { ...context, path: [network] };
      return await runPausable([method, all], turn, (pause) => work({ ...context, pause }));
    } finally {
      inHand -= 1;
      sources.give(network);
    }
  };
}

const refusalDelayMs = 250;

/** Makes a refusal wait, so that it is not asked for again at once; a few of each network. */
function createDelay(limits: LoadLimits) {
  const counts = createCounts();
  let inHand = 0;
  return {
    run: async (network: string): Promise<void> => {
      if (inHand >= limits.publicCalls) return;
      if (!counts.take(network, 2 * limits.publicCallsOfSource)) return;
      inHand += 1;
      await sleep(refusalDelayMs);
      inHand -= 1;
      counts.give(network);
    },
  };
}

/** Calls of users, capped for each, and those that wait in a queue by its pace. */
function createUserRun(limits: LoadLimits) {
  const counts = { calls: createCounts(), streams: createCounts() };
  return async <T>(
    userId: string,
    entry: Entry,
    work: () => Promise<Result<T>>,
  ): Promise<Result<T>> => {
    const kind = entry.isStream ? 'streams' : 'calls';
    const most = entry.isStream ? limits.userStreams : limits.userCalls;
    if (!counts[kind].take(userId, most)) {
      return tooMuch(`you have more than ${most} ${kind} in hand`);
    }
    try {
      return await (entry.fit ? runFitted(entry.fit, work) : work());
    } finally {
      counts[kind].give(userId);
    }
  };
}

async function runFitted<T>(fit: Fit, work: () => Promise<Result<T>>): Promise<Result<T>> {
  if (fit.isFull()) return tooSlow;
  const visit = fit.enter();
  let isAnswered = false;
  try {
    const result = await work();
    isAnswered = result.ok;
    return result;
  } finally {
    visit.end(isAnswered);
  }
}

/** The principal, or the refusal, which those who keep the audit log are told of. */
async function authorize(
  access: Access,
  authorization: string | undefined,
  entry: Entry,
  contextOf: (principal: Principal) => CallContext,
): Promise<Result<Principal>> {
  const authorized = await access.authorize(authorization, entry.policy);
  if (!authorized.ok && authorized.rejection.isDenial) {
    const identified = await access.identify(authorization);
    if (identified.ok) entry.onDenied(contextOf(identified.value), authorized.rejection);
  }
  return authorized;
}

const isOfService = (authorization: string | undefined): boolean =>
  authorization?.startsWith('Service ') ?? false;

async function isOwnService(access: Access, authorization: string | undefined): Promise<boolean> {
  const identified = await access.identify(authorization);
  return identified.ok && identified.value.kind === 'service';
}

const tooMuch = (why: string) =>
  refuse('OVERLOADED', `${why}: nothing was done, try again shortly`);

const tooMuchInHand = tooMuch('the server has too much in hand');
const tooManyLikeThis = tooMuch('too many calls like this one are in hand');
const tooSlow = tooMuch('more is asked of the server than it can do in time');

function createCounts() {
  const counts = new Map<string, number>();
  return {
    has: (key: string): boolean => counts.has(key),
    /** One more under this key, unless there are as many as there may be. */
    take: (key: string, most: number): boolean => {
      const count = counts.get(key) ?? 0;
      if (count >= most) return false;
      counts.set(key, count + 1);
      return true;
    },
    give: (key: string): void => {
      const count = (counts.get(key) ?? 1) - 1;
      if (count === 0) counts.delete(key);
      else counts.set(key, count);
    },
  };
}
