import { randomUUID } from 'node:crypto';

import { refuse, succeed, type Rejection, type Result } from '../../../../core/reasons.ts';
import type { Principal } from '../../access/access.ts';
import { createTransientRejection } from '../../transient-rejection.ts';
import { createWakeUp } from '../../concurrency/wake-up.ts';
import { checkBounds, type Bounds } from '../bounds.ts';
import { createUnary, type Read, type Unary, type WrapOptions } from '../calls.ts';
import type { CallContext } from '../admission/admission.ts';
import { toRequestId, type Incoming } from '../admission/incoming.ts';
import { runBidi, runServerStream, type Outlet } from '../streams/run.ts';
import type { Caller, CallOptions } from './caller.ts';

type Options = Pick<
  WrapOptions,
  'handler' | 'entry' | 'admission' | 'access' | 'streamRegistry' | 'log'
>;

/** A method of a service in this process. */
export type LocalMethod = {
  readonly options: Options;
  readonly bounds: Bounds | undefined;
  /** For unary methods. */
  readonly unary: Unary<unknown> | undefined;
};

export const createLocalMethod = (options: Options, bounds: Bounds | undefined): LocalMethod => ({
  options,
  bounds,
  unary: options.entry.isStream ? undefined : createUnary(options, (answer) => succeed(answer)),
});

/**
 * Calls services of this process as functions: no socket, no bytes. `principal`: who calls, known
 * by value; without it the caller shows the credentials of users. `find` is asked at each call.
 */
export function createLocalCaller(
  find: (path: string) => LocalMethod | undefined,
  principal?: Principal,
): Caller {
  const methodOf = (path: string): LocalMethod => {
    const method = find(path);
    if (!method) throw new Error(`${path} is not served in this process`);
    return method;
  };
  return {
    call: async ({ path }, request, options = {}) => {
      const { unary, bounds } = methodOf(path);
      if (!unary) throw new Error(`${path} is a stream`);
      const call = toIncoming(options, principal);
      const result = await unary(call, () => check(request, bounds));
      return (result.ok ? result : withoutNotes(result.rejection)) as Result<never>;
    },
    stream: async function* ({ path }, request, options = {}) {
      const method = methodOf(path);
      const call = toIncoming(options, principal);
      yield* openStream(method, request, call, options.signal) as AsyncGenerator<never>;
    },
    close: () => undefined,
  };
}

function toIncoming(options: CallOptions, principal: Principal | undefined): Incoming {
  const { authorization, source, requestId, deadlineMs = Infinity, signal } = options;
  const { origin = 'remote' } = options;
  return {
    requestId: requestId === undefined ? randomUUID() : toRequestId(requestId),
    authorization: principal ? undefined : authorization,
    ...(principal ? { principal } : {}),
    peer: 'local',
    peerAddress: source ?? 'unknown',
    forwardedFor: [],
    origin,
    listForwardingHeaders: () => [],
    deadlineMs,
    isCancelled: () => signal?.aborted ?? false,
    onceOver: () => undefined,
  };
}

/** A refusal without what is for the audit log only, which the wire does not carry either. */
const withoutNotes = ({ reason, message, metadata }: Rejection) =>
  refuse(reason, message, metadata);

/** What the reader of the wire checks, too. */
function check(request: unknown, bounds: Bounds | undefined): Read {
  const bounded = checkBounds(request as object, bounds);
  return bounded.ok ? succeed(request) : bounded;
}

async function* openStream(
  { options, bounds }: LocalMethod,
  request: unknown,
  call: Incoming,
  signal: AbortSignal | undefined,
): AsyncGenerator {
  const handover = createHandover();
  const leaving = { ...call, isCancelled: () => handover.isLeft() || call.isCancelled() };
  const outlet = ({ stream }: CallContext): Outlet => {
    // As over the wire: a reader who takes nothing does not keep the slot.
    stream?.onEnd(handover.refuse);
    const write = async (answer: unknown): Promise<void> => {
      stream?.beginStall();
      await handover.write(answer);
      stream?.finishStall();
    };
    return { write, isGone: leaving.isCancelled };
  };
  const running = options.entry.isOneRequest
    ? runServerStream(options, leaving, () => check(request, bounds), outlet)
    : runBidi(options, leaving, () => checkAll(request as AsyncIterable<unknown>, bounds), outlet);
  void running.then(handover.end);
  const giveUp = (): void => handover.end(cancelled);
  signal?.addEventListener('abort', giveUp);
  const leftMs = Math.min(call.deadlineMs - performance.now(), maxTimerMs);
  const timer = setTimeout(() => handover.end(tooLate), leftMs);
  try {
    const result = yield* handover.answers();
    if (!result.ok) throw createTransientRejection(withoutNotes(result.rejection).rejection);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', giveUp);
    handover.leave();
  }
}

/** What a timer of Node takes. */
const maxTimerMs = 2 ** 31 - 1;

const cancelled = refuse('CANCELLED', 'the call was given up');
const tooLate = refuse('DEADLINE_EXCEEDED', 'the stream had not ended in time');

async function* checkAll(
  requests: AsyncIterable<unknown>,
  bounds: Bounds | undefined,
): AsyncIterable<Read> {
  for await (const request of requests) yield check(request, bounds);
}

/** Passes answers from the handler to the reader, one ahead: backpressure. */
function createHandover() {
  type Offer = {
    readonly answer: unknown;
    readonly take: () => void;
    readonly fail: (err: Error) => void;
  };
  let offered: Offer | undefined;
  let result: Result<unknown> | undefined;
  let isLeft = false;
  const reader = createWakeUp();
  return {
    isLeft: () => isLeft,
    write: (answer: unknown): Promise<void> =>
      new Promise((resolve, reject) => {
        if (isLeft) {
          resolve();
          return;
        }
        offered = { answer, take: resolve, fail: reject };
        reader.wake();
      }),
    /** Ends the wait for the reader; the answer can still be taken. */
    refuse: (rejection: Rejection): void => offered?.fail(createTransientRejection(rejection)),
    end: (ended: Result<unknown>): void => {
      result ??= ended;
      reader.wake();
    },
    leave: (): void => {
      isLeft = true;
      offered?.take();
    },
    answers: async function* (): AsyncGenerator<unknown, Result<unknown>> {
      for (;;) {
        if (offered) {
          const { answer, take } = offered;
          offered = undefined;
          take();
          yield answer;
        } else if (result) {
          return result;
        } else {
          await reader.wait();
        }
      }
    },
  };
}
