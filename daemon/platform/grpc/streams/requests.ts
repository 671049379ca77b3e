import type { Rejection } from '../../../../core/reasons.ts';
import type { Access } from '../../access/access.ts';
import { createTransientRejection } from '../../transient-rejection.ts';
import type { CallContext, MethodPolicy } from '../admission/admission.ts';
import type { Read } from '../calls.ts';
import type { Incoming } from '../admission/incoming.ts';
import type { OpenStream } from '../admission/stream-slots.ts';
import type { Reauthorization } from './reauthorization.ts';

/** The requests of a stream; a credential that has ended meanwhile ends the stream. */
export async function* readChecked(
  read: AsyncIterable<Read>,
  options: {
    readonly access: Pick<Access, 'authorize'>;
    readonly entry: MethodPolicy;
    readonly call: Incoming;
    readonly context: CallContext;
    readonly guard: Reauthorization;
  },
): AsyncIterable<unknown> {
  const { access, entry, call, guard } = options;
  const { stream } = options.context;
  const requests = (stream ? endWith(read, stream) : read)[Symbol.asyncIterator]();
  for (;;) {
    const next = (await guard.race(requests.next())) as IteratorResult<Read, undefined>;
    if (next.done) return;
    const request = next.value;
    stream?.beginRequest();
    if (!request.ok) throw createTransientRejection(request.rejection);
    if (!call.principal) {
      const still = await access.authorize(call.authorization, entry.policy);
      if (!still.ok) throw createTransientRejection(still.rejection);
    }
    yield request.value;
  }
}

/** A request that had arrived is there within this; so long one waits for it in a stop. */
const arrivedMs = 100;
/** So long what arrives is still taken in a stop, however quickly it comes. */
const takenMs = 1_000;

/** The same requests; fails once the stream shall end, though the next one may never come. */
async function* endWith(requests: AsyncIterable<Read>, stream: OpenStream): AsyncGenerator<Read> {
  const iterator = requests[Symbol.asyncIterator]();
  let end: Rejection | undefined;
  let last: { readonly rejection: Rejection; readonly untilMs: number } | undefined;
  let fail: (err: unknown) => void = () => undefined;
  let timer: NodeJS.Timeout | undefined;
  let isReading = false;
  const stop = (rejection: Rejection): void => {
    end ??= rejection;
    fail(createTransientRejection(rejection));
  };
  /** Waits a little for what is on its way from the network's buffer. */
  const waitForLast = (): void => {
    if (!last || !isReading) return;
    const { rejection } = last;
    timer ??= setTimeout(() => stop(rejection), arrivedMs);
  };
  stream.onEnd(stop);
  stream.onFinish((rejection) => {
    last = { rejection, untilMs: performance.now() + takenMs };
    waitForLast();
  });
  try {
    for (;;) {
      if (last && performance.now() > last.untilMs) stop(last.rejection);
      if (end) throw createTransientRejection(end);
      isReading = true;
      const next = await new Promise<IteratorResult<Read>>((resolve, reject) => {
        fail = reject;
        iterator.next().then(resolve, reject);
        waitForLast();
      });
      isReading = false;
      clearTimeout(timer);
      timer = undefined;
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    clearTimeout(timer);
  }
}
