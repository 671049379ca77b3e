import {
  reasonCodes,
  refuse,
  succeed,
  type Rejection,
  type Result,
} from '../../../../core/reasons.ts';
import { checkPolicy, type Access, type Policy, type Principal } from '../../access/access.ts';
import { tooManyUnknown } from '../../access/api-keys.ts';
import type { Pause } from '../../concurrency/pausable.ts';
import { answerInTime, type Refusal, type Waiting } from './answer-in-time.ts';
import type { AdaptiveLimit } from './adaptive-limit.ts';
import type { Incoming } from './incoming.ts';
import type { ForwardReport } from '../ingress/forwarding.ts';
import { createOverload, tooManyInFlight, type Overload } from './overload.ts';
import { createPublicCalls } from './public-calls.ts';
import type { OpenStream, StreamShare } from './stream-slots.ts';
import type { LoadLimits } from './load-limits.ts';
import { createRefusedCredentials } from './refused-credentials.ts';
import { createUserCalls } from './user-calls.ts';
import { findSource, type AddressSet } from '../ingress/source.ts';

/** What a handler knows of its call besides the request. */
export type CallContext = {
  readonly requestId: string;
  readonly principal: Principal;
  /** The address that the call came from, without a port: of the caller, past trusted proxies. */
  readonly source: string;
  /**
   * True only where the call came straight from a program on this machine: no proxy forwarded it.
   */
  readonly isLocal?: boolean;
  /** Of a stream of a user: reports when it is idle, and may be ended then. */
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

/** How calls of one method are admitted. */
export type MethodPolicy = {
  readonly policy: Policy;
  readonly isStream: boolean;
  /** The caller sends one message only; false for a stream of requests. */
  readonly isOneRequest: boolean;
  /** Of a method whose streams have fewer slots than others; absent: as many. */
  readonly slots?: StreamShare | undefined;
  /** Called for each refusal for want of rights. */
  readonly onDenied: (context: CallContext, rejection: Rejection) => void;
  /** Where calls wait for one another: the adaptive limit of how many are in flight. */
  readonly limit: AdaptiveLimit | undefined;
  /** Commits, and has a large answer: refused for unread answers before it begins, never after. */
  readonly isLargeWrite?: boolean;
};

/** Admission limits: calls in flight are counted, in all and for each caller. */
export type Admission = {
  /** Calls that came by the wire. */
  inFlight(): number;
  /** What is counted now; all of it is back at 0 once nothing is in flight. */
  readCounts(): AdmissionCounts;
  readonly overload: Overload;
  /** A refusal where a method needs a credential, and the one that is shown is not accepted. */
  findRefusedCredential(entry: MethodPolicy, caller: Caller): Promise<Rejection | undefined>;
  /** Answers a call whose credential was refused: later where its network has many of these. */
  refuseUnauthenticated(caller: Caller, act: () => void, cost: number): void;
  /**
   * Admits a call, runs the work, and releases the call's permits. CREDENTIALS_MISSING and the
   * like, PERMISSION_DENIED, OVERLOADED.
   */
  run<T>(
    call: Incoming,
    entry: MethodPolicy,
    work: (context: CallContext) => Promise<Result<T>>,
  ): Promise<Result<T>>;
  /**
   * Streams take no more requests, and end with SHUTTING_DOWN once what is in flight is answered.
   * Refusals are not delayed any more.
   */
  finish(): void;
  /** Calls back when a call by the wire has to end whatever it does; gives what stops that. */
  onCut(listener: (answer: Refusal) => void): () => void;
  /** Answers what is still in flight: whether it was done is not known. */
  cut(): void;
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
  readonly unauthenticated: number;
};

const defaultDeadlineMs = 30_000;

export function createAdmission(options: {
  readonly access: Access;
  readonly proxies: AddressSet;
  readonly limits: LoadLimits;
  readonly onForwarded: ForwardReport;
}): Admission {
  const { access, proxies, limits, onForwarded } = options;
  const publicRun = createPublicCalls(limits);
  const ofUsers = createUserCalls(limits);
  const screen = createScreen(options);
  const { waiting, onCut, cut } = createCuts();
  let inFlight = 0;
  let inFlightOfServices = 0;
  const overload = createOverload({ access, ofUsers, isFull: () => inFlight >= limits.all });

  const run: Admission['run'] = async (call, entry, work) => {
    const contextOf = (principal: Principal): CallContext =>
      createContext(call, principal, entry, proxies);
    if (call.principal) return runAs(call.principal, entry, contextOf, work);
    if (call.origin === 'forwarded') onForwarded(call);
    if (access.isService(call.authorization)) {
      // Counted apart: without the feed of revocations other processes refuse every user.
      if (inFlightOfServices >= limits.all) return tooManyInFlight;
      inFlightOfServices += 1;
      return runAs(ourService, entry, contextOf, work).finally(() => (inFlightOfServices -= 1));
    }
    inFlight += 1;
    try {
      if (inFlight > limits.all) return tooManyInFlight;
      if (entry.policy === 'public') {
        return await publicRun.run(entry, contextOf({ kind: 'anonymous' }), work);
      }
      const known = access.recall(call.authorization, entry.policy);
      const principal = known
        ? succeed(known)
        : await authorize(access, call, entry, contextOf, proxies);
      if (!principal.ok) return principal;
      const context = contextOf(principal.value);
      return principal.value.kind === 'user'
        ? await ofUsers.run(principal.value.userId, entry, context, work)
        : await work(context);
    } finally {
      inFlight -= 1;
    }
  };

  return {
    inFlight: () => inFlight + inFlightOfServices,
    readCounts: () => ({
      calls: inFlight + inFlightOfServices,
      publicCalls: publicRun.size(),
      ...ofUsers.readCounts(),
      unauthenticated: screen.size(),
    }),
    overload,
    findRefusedCredential: screen.find,
    refuseUnauthenticated: screen.answer,
    run: (call, entry, work) => {
      const running = run(call, entry, work);
      if (entry.isStream) return running;
      const deadlineMs = Math.min(call.deadlineMs, nowMs() + defaultDeadlineMs);
      return answerInTime(deadlineMs, running, call.principal ? undefined : waiting);
    },
    finish: () => {
      ofUsers.finishStreams(stopping);
      screen.answerAll();
    },
    onCut,
    cut,
  };
}

/** What becomes of calls whose credential is not accepted. */
function createScreen({ access, proxies, limits }: Screening) {
  const refused = createRefusedCredentials(limits.refusedCredentials);
  const find: Admission['findRefusedCredential'] = async ({ policy }, caller) => {
    const { authorization } = caller;
    if (access.recall(authorization, policy)) return undefined;
    const authorized = await access.authorize(authorization, policy, sourceOf(caller, proxies));
    return !authorized.ok && isUnauthenticated(authorized.rejection)
      ? authorized.rejection
      : undefined;
  };
  const answer: Admission['refuseUnauthenticated'] = (caller, act, cost) =>
    refused.answer(sourceOf(caller, proxies), act, cost);
  return { find, answer, answerAll: refused.answerAll, size: refused.size };
}

type Screening = {
  readonly access: Access;
  readonly proxies: AddressSet;
  readonly limits: Pick<LoadLimits, 'refusedCredentials'>;
};

/** Who waits for the end of a call, or for a stop that does not wait for it. */
function createCuts() {
  const waiting: Waiting = new Set();
  const onCut: Admission['onCut'] = (listener) => {
    waiting.add(listener);
    return () => waiting.delete(listener);
  };
  const cut = (): void => waiting.forEach((answer) => answer(stoppedTooSoon));
  return { waiting, onCut, cut };
}

const nowMs = (): number => performance.now();

const ourService: Principal = { kind: 'service' };

/** Runs a call whose caller is identified already. */
async function runAs<T>(
  principal: Principal,
  entry: MethodPolicy,
  contextOf: (principal: Principal) => CallContext,
  work: (context: CallContext) => Promise<Result<T>>,
): Promise<Result<T>> {
  const allowed = checkPolicy(principal, entry.policy);
  if (allowed.ok) return work(contextOf(allowed.value));
  if (allowed.rejection.isDenial) entry.onDenied(contextOf(principal), allowed.rejection);
  return allowed;
}

function createContext(
  call: Incoming,
  principal: Principal,
  { isStream }: MethodPolicy,
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

/** The principal, or the refusal, which is passed to the audit log. */
async function authorize(
  access: Access,
  call: Incoming,
  entry: MethodPolicy,
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
 * Whether the refusal is of a caller whose credential was not accepted, or could not be looked at:
 * at once refused, a flood would take all there is, and the feed of revocations would stay away.
 */
export const isUnauthenticated = (rejection: Rejection): boolean =>
  reasonCodes[rejection.reason] === 'UNAUTHENTICATED' ||
  rejection.reason === 'AUTH_UNAVAILABLE' ||
  rejection === tooManyUnknown;

const { rejection: stopping } = refuse(
  'SHUTTING_DOWN',
  'the server is stopping: what was not answered was not done, send it again on another stream',
);

const stoppedTooSoon = refuse(
  'OUTCOME_UNKNOWN',
  'the server stopped before the call had ended; whether it was done is not known: ask again with the same key',
);
