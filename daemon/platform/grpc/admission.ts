import type { ServerUnaryCall } from '@grpc/grpc-js';

import { refuse, type Rejection, type Result } from '../../../core/reasons.ts';
import type { Access, Policy, Principal } from '../access.ts';
import { createGate, type Gate } from './gate.ts';
import { addressOfPeer, findSource, loopback, type AddressSet } from './source.ts';

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
};

export type AnyCall = Pick<
  ServerUnaryCall<unknown, unknown>,
  'metadata' | 'cancelled' | 'getDeadline' | 'getPeer'
>;

/** What is asked of the door for one method. */
export type Entry = {
  readonly policy: Policy;
  readonly isStream: boolean;
  /** Told of each refusal for want of rights. */
  readonly onDenied: (context: CallContext, rejection: Rejection) => void;
};

/** Where calls are counted, so that nobody can take everything. */
export type Admission = {
  inFlight(): number;
  /**
   * Lets a call in, runs the work, and counts the call out again. CREDENTIALS_MISSING and the like,
   * PERMISSION_DENIED, OVERLOADED.
   */
  run<T>(
    call: AnyCall,
    requestId: string,
    entry: Entry,
    work: (context: CallContext) => Promise<Result<T>>,
  ): Promise<Result<T>>;
};

export type LoadLimits = {
  /** Calls in hand in this process, of everybody. */
  readonly all: number;
  /** Unary calls in hand of one user. */
  readonly userCalls: number;
  /** Streams of one user. */
  readonly userStreams: number;
  /** Calls in hand that need no credential, of everybody. */
  readonly publicCalls: number;
  /** The same, from one address that is not this machine. */
  readonly publicCallsOfSource: number;
};

export const loadLimits: LoadLimits = {
  all: 4_096,
  userCalls: 1_024,
  userStreams: 100,
  publicCalls: 256,
  publicCallsOfSource: 128,
};

const defaultDeadlineMs = 30_000;
const retryAfterMs = 1_000;

/**
 * Calls without a credential that are worked on at once: the auth database has ten connections for
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
  const counted = createCounts();
  const publicGate = createGate(publicAtOnce);
  const methodGates = new WeakMap<Entry, Gate>();
  let inFlight = 0;

  const workPublic = <T>(call: AnyCall, entry: Entry, work: () => Promise<Result<T>>) => {
    const gate = methodGates.get(entry) ?? createGate(publicAtOnceOfMethod);
    methodGates.set(entry, gate);
    // What nobody waits for any more is not begun.
    const begin = () => (call.cancelled ? Promise.resolve(gone) : work());
    return gate.run(() => publicGate.run<Result<T>>(begin));
  };

  return {
    inFlight: () => inFlight,
    run: async (call, requestId, entry, work) => {
      const authorization = authorizationOf(call);
      const peer = addressOfPeer(call.getPeer());
      const forwarded = call.metadata.get('x-forwarded-for').map(String);
      const source = findSource(peer, forwarded, proxies);
      const held: string[] = [];
      const take = (key: string, most: number): boolean => {
        const isTaken = counted.take(key, most);
        if (isTaken) held.push(key);
        return isTaken;
      };
      const contextOf = (principal: Principal): CallContext => ({
        requestId,
        principal,
        source,
        deadlineMs: deadlineOf(call, entry.isStream ? Infinity : Date.now() + defaultDeadlineMs),
        isCancelled: () => call.cancelled,
      });
      inFlight += 1;
      try {
        // Our own services are let in past the caps: without their feed of revocations nobody is.
        const isOurs = await isOwnService(access, authorization);
        if (inFlight > limits.all && !isOurs) return tooMuch('the server has too much in hand');
        if (entry.policy === 'public' && !isOurs) {
          const isOpen =
            (loopback.has(source) || take(`from ${source}`, limits.publicCallsOfSource)) &&
            take('public', limits.publicCalls);
          if (!isOpen) return tooMuch('too many calls like this one are in hand');
          const context = contextOf({ kind: 'anonymous' });
          return await workPublic(call, entry, () => work(context));
        }
        const principal = await authorize(access, authorization, entry, contextOf);
        if (!principal.ok) return principal;
        if (principal.value.kind === 'user') {
          const kind = entry.isStream ? 'streams' : 'calls';
          const most = entry.isStream ? limits.userStreams : limits.userCalls;
          const key = `${kind} of ${principal.value.userId}`;
          if (!take(key, most)) return tooMuch(`you have more than ${most} ${kind} in hand`);
        }
        return await work(contextOf(principal.value));
      } finally {
        inFlight -= 1;
        held.forEach((key) => counted.give(key));
      }
    },
  };
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

async function isOwnService(access: Access, authorization: string | undefined): Promise<boolean> {
  if (!(authorization?.startsWith('Service ') ?? false)) return false;
  const identified = await access.identify(authorization);
  return identified.ok && identified.value.kind === 'service';
}

export const authorizationOf = (call: AnyCall): string | undefined =>
  call.metadata.get('authorization')[0]?.toString();

function deadlineOf(call: AnyCall, latestMs: number): number {
  const deadline = call.getDeadline();
  return Math.min(deadline instanceof Date ? deadline.getTime() : deadline, latestMs);
}

const tooMuch = (why: string) =>
  refuse('OVERLOADED', `${why}: nothing was done, try again shortly`, {
    retryAfterMs: String(retryAfterMs),
  });

const gone = refuse('CANCELLED', 'the call was given up before it was begun');

function createCounts() {
  const counts = new Map<string, number>();
  return {
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
