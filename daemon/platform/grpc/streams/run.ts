import { refuse, type Result } from '../../../../core/reasons.ts';
import type { CallContext } from '../admission/admission.ts';
import {
  explainFailure,
  notOffered,
  reportDenial,
  type BidiHandler,
  type Read,
  type ServerStreamHandler,
  type WrapOptions,
} from '../calls.ts';
import type { Incoming } from '../admission/incoming.ts';
import { reauthorizeStream, type Reauthorization } from './reauthorization.ts';
import { readChecked } from './requests.ts';

/** Where the answers of a stream go. */
export type Outlet = {
  /** Resolves once there is room for the next; rejects if nothing is taken. */
  write(answer: unknown): Promise<void>;
  /** True once nothing is taken any more. */
  isGone(): boolean;
};

export type OpenOutlet = (context: CallContext) => Outlet;

type Options = Pick<
  WrapOptions,
  'handler' | 'entry' | 'admission' | 'access' | 'streamRegistry' | 'log'
>;
type Open = (
  context: CallContext,
  guard: Reauthorization,
) => Promise<Result<AsyncIterable<unknown>>>;
type Race = 'race' | 'raceAnswer';

/**
 * Many answers to one request. Pulls the next one once the last ones were taken. Resolves once the
 * stream has ended; never rejects.
 */
export function runServerStream(
  options: Options,
  call: Incoming,
  read: () => Read,
  openOutlet: OpenOutlet,
): Promise<Result<unknown>> {
  const handler = options.handler as ServerStreamHandler<unknown, unknown> | undefined;
  const open: Open = (context) => {
    const request = read();
    if (!request.ok) return Promise.resolve(request);
    return handler ? handler(request.value, context) : Promise.resolve(notOffered);
  };
  return runStream(options, call, open, openOutlet, 'race');
}

/** Many answers to many requests; each request is read when the handler asks for it. */
export function runBidi(
  options: Options,
  call: Incoming,
  readAll: () => AsyncIterable<Read>,
  openOutlet: OpenOutlet,
): Promise<Result<unknown>> {
  const { access, entry } = options;
  const handler = options.handler as BidiHandler<unknown, unknown> | undefined;
  const open: Open = (context, guard) =>
    handler
      ? handler(readChecked(readAll(), { access, entry, call, context, guard }), context)
      : Promise.resolve(notOffered);
  // What was begun before a refusal is still answered.
  return runStream(options, call, open, openOutlet, 'raceAnswer');
}

async function runStream(
  options: Options,
  call: Incoming,
  open: Open,
  openOutlet: OpenOutlet,
  race: Race,
): Promise<Result<unknown>> {
  const { admission, access, streamRegistry, entry, log } = options;
  const work = async (context: CallContext): Promise<Result<unknown>> => {
    const leave = context.stream && streamRegistry.add(call.peer, context.stream);
    // Who is known without a credential has none that could end.
    const policy = call.principal ? 'public' : entry.policy;
    const guard = reauthorizeStream(access, call.authorization, policy);
    const stopWaiting = call.principal
      ? () => undefined
      : admission.onCut(({ rejection }) =>
          guard.cut(entry.isOneRequest ? cutShort.rejection : rejection),
        );
    const isCancelled = (): boolean => context.isCancelled() || guard.refusal() !== undefined;
    try {
      const opened = await open({ ...context, isCancelled }, guard);
      if (!opened.ok) return reportDenial(opened, entry, context);
      await sendAnswers(opened.value, openOutlet(context), guard, race);
      const rejection = guard.refusal();
      return rejection ? { ok: false, rejection } : opened;
    } finally {
      stopWaiting();
      guard.stop();
      leave?.();
    }
  };
  try {
    return await admission.run(call, entry, work);
  } catch (err) {
    return explainFailure(err, log, call.requestId);
  }
}

/** Nothing is changed by a stream of answers to one request; what is missing can be asked for. */
const cutShort = refuse(
  'SHUTTING_DOWN',
  'the server is stopping: ask again for what has not arrived',
);

/** Hands on the answers until they end, the caller is gone, or may not have them any more. */
async function sendAnswers(
  answers: AsyncIterable<unknown>,
  outlet: Outlet,
  guard: Reauthorization,
  race: Race,
): Promise<void> {
  const iterator = answers[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await guard[race](iterator.next());
      if (next.done === true || outlet.isGone()) return;
      await guard[race](outlet.write(next.value));
    }
  } finally {
    const ended = iterator.return?.();
    ended?.catch(() => undefined);
    // Once the caller is refused, it may wait for a client that sends nothing.
    if (!guard.hasEnded()) await ended;
  }
}
