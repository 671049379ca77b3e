import {
  StatementServiceService,
  type Export,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { isAboutToken } from '../../rpc/caller.ts';
import type { Context } from '../../context.ts';
import {
  toCliFailure,
  toLostFailure,
  type CallFailure,
  type CallResult,
} from '../../rpc/errors.ts';
import { addHint, failInterrupted } from './shared.ts';
import { succeed, type Outcome } from '../../outcome.ts';
import { createProgress, formatProgress, type Progress } from '../shared/progress.ts';
import type { AnswerStream } from '../../rpc/stream.ts';

/** Where the bytes of a file go, in order. */
export type Sink = {
  /** How many there are already. */
  readonly length: () => number;
  /** Resolves when there is room for more. */
  write(data: Buffer): Promise<Outcome<undefined>>;
  /** False once the reader has closed its end, as in `| head`. */
  readonly isOpen: () => boolean;
};

/**
 * Fetches the bytes of an export that the sink does not have yet. A connection that is lost is made
 * again, with growing pauses, until no byte has come for the time of `--timeout`.
 */
export async function fetchFile(
  context: Context,
  made: Export,
  sink: Sink,
): Promise<Outcome<undefined>> {
  const progress = createProgress(context);
  const withdraw = context.interrupts.add(() => {
    void progress.clear();
    void context.reporter.error(failInterrupted(made.id).failure);
  });
  try {
    return await fetchRest(context, made, sink, progress);
  } finally {
    withdraw();
    await progress.clear();
  }
}

async function fetchRest(
  context: Context,
  made: Export,
  sink: Sink,
  progress: Progress,
): Promise<Outcome<undefined>> {
  const { clock, settings } = context;
  const whole = Number(made.bytes ?? 0n);
  let movedAtMs = clock.elapsed();
  let hasMoved = false;
  let isRenewed = false;
  let pauseMs = 200;
  while (sink.length() < whole && sink.isOpen()) {
    const startedAt = sink.length();
    const ended = await fetchOnce(context, made, { sink, progress, isRenewed });
    if (!ended.ok) return ended;
    const failure = ended.value ?? toLostFailure('the file ended before its end');
    if (sink.length() > startedAt) {
      [movedAtMs, hasMoved, isRenewed, pauseMs] = [clock.elapsed(), true, false, 200];
    }
    if (sink.length() >= whole || !sink.isOpen()) break;
    if (isAboutToken(failure) && !isRenewed) {
      isRenewed = true;
      continue;
    }
    const isGivenUp = clock.elapsed() + pauseMs - movedAtMs > settings.timeoutMs;
    if (isGivenUp || !isWorthAnother(failure, hasMoved)) {
      const hint = `it goes on where it stopped: wallet exports download ${made.id}`;
      return addHint(toCliFailure(failure, 'read'), hint);
    }
    await context.reporter.detail(`${failure.message}; going on after ${sink.length()} bytes`);
    await clock.sleep(pauseMs * (0.75 + Math.random() * 0.25));
    pauseMs = Math.min(pauseMs * 2, 5_000);
  }
  return succeed(undefined);
}

/** A connection that is refused is tried again only if there was one before. */
function isWorthAnother({ certainty, isTransient }: CallFailure, hasMoved: boolean): boolean {
  if (certainty === 'unsent') return hasMoved;
  return certainty === 'unknown' || isTransient;
}

/**
 * One stream to its end. Answers why it ended; a failure of the command line's own is one at once.
 */
async function fetchOnce(
  context: Context,
  made: Export,
  parts: { readonly sink: Sink; readonly progress: Progress; readonly isRenewed: boolean },
): Promise<Outcome<CallFailure | undefined>> {
  const { sink, progress, isRenewed } = parts;
  const method = StatementServiceService.downloadExport;
  const request = { exportId: made.id, offset: BigInt(sink.length()) };
  const opened = await context.caller.openAnswers(method, request, isRenewed);
  if (!opened.ok) return opened;
  if (!opened.value.ok) return succeed(opened.value.failure);
  const stream = opened.value.value;
  try {
    for (;;) {
      const read = await readInTime(stream, context.settings.timeoutMs);
      if (!read.ok) return succeed(read.failure);
      if (!read.value || !sink.isOpen()) return succeed(undefined);
      const written = await sink.write(read.value.data);
      if (!written.ok) return written;
      const text = formatProgress(BigInt(sink.length()), made.bytes ?? 0n, 'bytes');
      await progress.show(`downloading  ${text}`);
    }
  } finally {
    stream.cancel();
  }
}

/** A server that falls silent counts as lost. */
export async function readInTime<Response>(
  stream: AnswerStream<Response>,
  timeoutMs: number,
): Promise<CallResult<Response | undefined>> {
  let timer: NodeJS.Timeout | undefined;
  const silence = new Promise<CallResult<undefined>>((resolve) => {
    timer = setTimeout(() => {
      resolve({ ok: false, failure: toLostFailure('nothing more came in time') });
    }, timeoutMs);
  });
  const read = await Promise.race([stream.read(), silence]);
  clearTimeout(timer);
  return read;
}
