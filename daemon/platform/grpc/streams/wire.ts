import { setTimeout as sleep } from 'node:timers/promises';

import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';

import type { Result } from '../../../../core/reasons.ts';
import type { Log } from '../../log.ts';
import { createSink } from '../admission/answers.ts';
import type { Read, WrapOptions } from '../calls.ts';
import { toServiceError } from '../errors.ts';
import { incomingOf, isOver } from '../admission/incoming.ts';
import { runBidi, runServerStream, type OpenOutlet } from './run.ts';

type Reading = ServerWritableStream<Read, Buffer>;
type Talking = ServerDuplexStream<Read, Buffer>;

/** A stream of answers that the gRPC library reads and writes. */
export function wrapServerStream(options: WrapOptions) {
  return (call: Reading): void => {
    if (isOver(call)) return;
    const incoming = incomingOf(call);
    const running = runServerStream(
      options,
      incoming,
      () => call.request,
      outletOf(call, options.encode),
    );
    endWith(call, running, incoming.requestId, options.log);
  };
}

/** A stream of requests and answers that the gRPC library reads and writes. */
export function wrapBidi(options: WrapOptions) {
  return (call: Talking): void => {
    if (isOver(call)) return;
    const incoming = incomingOf(call);
    const readAll = (): AsyncIterable<Read> => {
      limitReadAhead(call);
      // Not destroyed with the reading, neither at its end nor when it is left: answers are still
      // due.
      return call.iterator({ destroyOnReturn: false });
    };
    const running = runBidi(options, incoming, readAll, outletOf(call, options.encode));
    endWith(call, running, incoming.requestId, options.log);
  };
}

const outletOf =
  (call: Reading | Talking, encode: WrapOptions['encode']): OpenOutlet =>
  ({ stream }) => {
    const sink = createSink(call, stream);
    return {
      write: (answer) => sink.write(encode(answer)),
      isGone: () => call.cancelled,
    };
  };

function endWith(
  call: Reading | Talking,
  running: Promise<Result<unknown>>,
  requestId: string,
  log: Log,
): void {
  running
    .then(async (result) => {
      if (!result.ok) await flush(call);
      if (call.cancelled) return;
      if (result.ok) call.end();
      else call.emit('error', toServiceError(result.rejection, requestId));
    })
    .catch((err: unknown) => log.error({ err, requestId }, 'the stream was not ended'));
}

/** A reader that takes nothing for so long gets the end all the same. */
const maxFlushMs = 1_000;

/**
 * Waits until what was written has left. An error destroys a call whose requests are being waited
 * for, and with it what is not written yet: answers, and the status itself.
 */
async function flush(call: Reading | Talking): Promise<void> {
  const untilMs = performance.now() + maxFlushMs;
  while (call.writableLength > 0 && !call.cancelled && performance.now() < untilMs) await sleep(2);
}

/**
 * grpc-js takes in 16 messages before a handler asks for them, and nothing public changes that:
 * with many streams, large messages and a busy database this is memory that a client can fill.
 */
function limitReadAhead(call: object): void {
  const { _readableState: state } = call as { _readableState?: { highWaterMark: number } };
  if (state) state.highWaterMark = 1;
}
