import { reasonCodes, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import type { Access, Policy, Principal } from '../access.ts';
import { tooManyUnknown } from '../api-keys.ts';
import type { Pause } from '../concurrency/pausable.ts';
import { answerInTime } from './answer-in-time.ts';
import type { Fit } from './fit.ts';
import type { Incoming } from './incoming.ts';
import type { ForwardReport } from './ingress/forwarding.ts';
import { createPublicRun } from './ingress/public-run.ts';
import type { OpenStream } from './ingress/stream-slots.ts';
import { createStrangers, strangerLimits, type StrangerLimits } from './ingress/strangers.ts';
import { createUserRun, tooMuch, tooSlow } from './ingress/user-run.ts';
import { findSource, type AddressSet } from './source.ts';

/** What a handler knows of its call besides the request. */
export type CallContext = {
  readonly requestId: string;
  readonly principal: Principal;
  /** The address that the call came from, without a port: of the caller, past trusted proxies. */
  readonly source: string;
  /** True only where the call came straight from a program on this machine: no proxy forwarded it. */
  readonly isLocal?: boolean;
  /** Of a stream of a user: tells when it is idle, and may be ended then. */
  readonly stream?: OpenStream;
  /**
   * The caller's deadline, or ours where it set none, by the monotonic clock. Infinity for a
   * stream without one.
   */
  readonly deadlineMs: number;
  /** True once the caller has gone: nothing need be begun for it any more. */
  isCancelled(): boolean;
  /**
   * Runs work that uses no connection of the database without the permit of this call, so that
   * another call takes its place meanwhile. Absent where no permit is needed.
   */
  readonly pause?: Pause;
};

/** What is asked of the door for one method. */
export type Entry = {
  readonly policy: Policy;
  readonly isStream: boolean;
  /** The caller sends one message only; false for a stream of requests. */
  readonly isOneRequest: boolean;
  /** Told of each refusal for want of rights. */
  readonly onDenied: (context: CallContext, rejection: Rejection) => void;
  /** Where calls wait for one another: how many are taken on at once. */
  readonly fit: Fit | undefined;
};

/** Where calls are counted, so that nobody can take everything. */
export type Admission = {
  inFlight(): number;
  /** What is counted now; all of it is back at 0 once nothing is in flight. */
  readCounts(): AdmissionCounts;
  /** A refusal where a call need not be read: there is no room for it, whoever it is from. */
  findExcess(entry: Entry, authorization: string | undefined): Excess | undefined;
  /** A refusal where a method needs a credential, and the one that is shown is not accepted. */
  findStranger(entry: Entry, caller: Caller): Promise<Rejection | undefined>;
  /** Answers a call whose credential was refused: later where its network has many of these. */
  answerStranger(caller: Caller, act: () => void, cost: number): void;
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

/** What is known of who calls before anything is read. */
export type Caller = Pick<Incoming, 'authorization' | 'peerAddress' | 'forwardedFor'>;

export type AdmissionCounts = {
  readonly calls: number;
  /** Of these, calls that need no credential. */
  readonly publicCalls: number;
  /** Users who have unary calls in flight. */
  readonly callers: number;
  /** Streams of users. */
  readonly streams: number;
  /** Calls whose credential was refused, and whose answer waits. */
  readonly strangers: number;
};

type Excess = { readonly ok: false; readonly rejection: Rejection };

export type LoadLimits = {
  /** Calls in hand in this process, of everybody. */
  readonly all: number;
  /** Unary calls in hand of one user. */
  readonly userCalls: number;
  /** Streams of one method, of everybody. */
  readonly streams: number;
  /** The same, of one user. */
  readonly userStreams: number;
  /** A stream is ended after so long without a request and without anything in flight. */
  readonly streamIdleMs: number;
  /** A stream that has done nothing for so long may be ended to make room for another. */
  readonly streamSettleMs: number;
  /**
   * Calls in flight that need no credential, of everybody. Past it, a network with none in flight
   * still gets one, up to twice as many in all.
   */
  readonly publicCalls: number;
  /** The same, from one network. */
  readonly publicCallsOfSource: number;
  /** The same, straight from programs on this machine. */
  readonly publicCallsOfHost: number;
  /** Watches of the health, of everybody; they need no credential. */
  readonly healthWatches: number;
  /** The same, from one network. */
  readonly healthWatchesOfSource: number;
  /** How fast credentials that are not accepted are refused, for each network. */
  readonly strangers: StrangerLimits;
};

export const loadLimits: LoadLimits = {
  all: 4_096,
  userCalls: 512,
  streams: 256,
  userStreams: 32,
  streamIdleMs: 60_000,
  streamSettleMs: 1_000,
  publicCalls: 1_000,
  publicCallsOfSource: 100,
  publicCallsOfHost: 500,
  healthWatches: 256,
  healthWatchesOfSource: 25,
  strangers: strangerLimits,
};

const defaultDeadlineMs = 30_000;

export function createAdmission(options: {
  readonly access: Access;
  readonly proxies: AddressSet;
  readonly limits: LoadLimits;
  readonly onForwarded: ForwardReport;
}): Admission {
  const { access, proxies, limits, onForwarded } = options;
  const publicRun = createPublicRun(limits);
  const userRun = createUserRun(limits, nowMs);
  const strangers = createStrangers(limits.strangers);
  let inFlight = 0;

  const run: Admission['run'] = async (call, entry, work) => {
    const contextOf = (principal: Principal): CallContext =>
      createContext(call, principal, entry, proxies);
    if (call.origin === 'forwarded') onForwarded(call);
    inFlight += 1;
    try {
      // Our own services are let in past the caps: without their feed of revocations nobody is.
      const isOurs =
        isOfService(call.authorization) && (await isOwnService(access, call.authorization));
      if (inFlight > limits.all && !isOurs) return tooMuchInHand;
      if (entry.policy === 'public' && !isOurs) {
        return await publicRun.run(entry, contextOf({ kind: 'anonymous' }), work);
      }
      const known = access.recall(call.authorization, entry.policy);
      const principal = known
        ? succeed(known)
        : await authorize(access, call, entry, contextOf, proxies);
      if (!principal.ok) return principal;
      const context = contextOf(principal.value);
      return principal.value.kind === 'user'
        ? await userRun.run(principal.value.userId, entry, context, work)
        : await work(context);
    } finally {
      inFlight -= 1;
    }
  };

  return {
    inFlight: () => inFlight,
    readCounts: () => ({
      calls: inFlight,
      publicCalls: publicRun.size(),
      ...userRun.readCounts(),
      strangers: strangers.size(),
    }),
    findExcess: ({ fit }, authorization) => {
      if (fit?.isFull()) return tooSlow;
      // Whether it is truly one of our own services is looked at with the rest.
      return inFlight < limits.all || isOfService(authorization) ? undefined : tooMuchInHand;
    },
    findStranger: async ({ policy }, caller) => {
      const { authorization } = caller;
      if (access.recall(authorization, policy)) return undefined;
      const authorized = await access.authorize(authorization, policy, sourceOf(caller, proxies));
      return !authorized.ok && isOfStranger(authorized.rejection)
        ? authorized.rejection
        : undefined;
    },
    answerStranger: (caller, act, cost) => strangers.answer(sourceOf(caller, proxies), act, cost),
    run: (call, entry, work) => {
      const running = run(call, entry, work);
      if (entry.isStream) return running;
      return answerInTime(Math.min(call.deadlineMs, nowMs() + defaultDeadlineMs), running);
    },
  };
}

function createContext(
  call: Incoming,
  principal: Principal,
  { isStream }: Entry,
  proxies: AddressSet,
): CallContext {
  return {
    requestId: call.requestId,
    principal,
    source: sourceOf(call, proxies),
    isLocal: call.origin === 'local',
    deadlineMs: Math.min(call.deadlineMs, isStream ? Infinity : nowMs() + defaultDeadlineMs),
    isCancelled: () => call.isCancelled(),
  };
}

const sourceOf = ({ forwardedFor, peerAddress }: Caller, proxies: AddressSet): string =>
  forwardedFor.length === 0 ? peerAddress : findSource(peerAddress, forwardedFor, proxies);

const nowMs = (): number => performance.now();

/** The principal, or the refusal, which those who keep the audit log are told of. */
async function authorize(
  access: Access,
  call: Incoming,
  entry: Entry,
  contextOf: (principal: Principal) => CallContext,
  proxies: AddressSet,
): Promise<Result<Principal>> {
  const { authorization } = call;
  const source = sourceOf(call, proxies);
  const authorized = await access.authorize(authorization, entry.policy, source);
  if (!authorized.ok && authorized.rejection.isDenial) {
    const identified = await access.identify(authorization);
    if (identified.ok) entry.onDenied(contextOf(identified.value), authorized.rejection);
  }
  return authorized;
}

/**
 * Whether the refusal is of somebody whose credential was not accepted, or could not be looked at: at
 * once refused, a flood would take all there is, and the feed of revocations would stay away.
 */
export const isOfStranger = (rejection: Rejection): boolean =>
  reasonCodes[rejection.reason] === 'UNAUTHENTICATED' ||
  rejection.reason === 'AUTH_UNAVAILABLE' ||
  rejection === tooManyUnknown;

const isOfService = (authorization: string | undefined): boolean =>
  authorization?.startsWith('Service ') ?? false;

async function isOwnService(access: Access, authorization: string | undefined): Promise<boolean> {
  const identified = await access.identify(authorization);
  return identified.ok && identified.value.kind === 'service';
}

const tooMuchInHand = tooMuch('the server has too much in hand');
