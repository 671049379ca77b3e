import type { FileHandle } from 'node:fs/promises';

import { createProofWriter, type ProofPart } from '../../../../core/statement-proof/index.ts';
import type { Export } from '../../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  WalletServiceService,
  type GetStatementProofResponse,
  type StatementProofHead,
} from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../../context.ts';
import { writeWhole } from '../../../files/files.ts';
import { fail, succeed, type Failed, type Outcome } from '../../../outcome.ts';
import { isAboutToken } from '../../../rpc/caller.ts';
import { toCliFailure, type CallResult } from '../../../rpc/errors.ts';
import type { AnswerStream } from '../../../rpc/stream.ts';
import { readInTime } from '../../exports/download-file.ts';
import type { Progress } from '../../shared/progress.ts';
import { toDigestPart, toEntryPart, toFirstParts, toLastParts } from './wire.ts';

/** That a proof is wanted, and of what kind. */
export type ProofWish = { readonly hidesNeighbours: boolean };

type Answer = GetStatementProofResponse;

/**
 * Fetches the proof of an export into an empty file. Asks once more, with a new token, where the
 * token was refused before anything came.
 */
export async function fetchProof(
  context: Context,
  made: Export,
  { hidesNeighbours: hideNeighbours }: ProofWish,
  into: { readonly handle: FileHandle; readonly progress: Progress },
): Promise<Outcome<undefined>> {
  const { userId, currency, from, to } = made;
  const request = { userId, currency, from, to, hideNeighbours };
  const method = WalletServiceService.getStatementProof;
  const sink = createSink(into.handle, into.progress);
  for (let isRenewed = false; ; isRenewed = true) {
    const opened = await context.caller.openAnswers(method, request, isRenewed);
    if (!opened.ok) return opened;
    const written = opened.value.ok
      ? await writeAnswers(context, made, opened.value.value, sink)
      : opened.value;
    if (written.ok) return written.value;
    const { failure } = written;
    if (isRenewed || !sink.isEmpty() || !isAboutToken(failure)) {
      return { ok: false, failure: toCliFailure(failure, 'read') };
    }
  }
}

/** Everything that the server gives, in the order of a proof. A lost call is no outcome. */
async function writeAnswers(
  { settings }: Context,
  made: Export,
  stream: AnswerStream<Answer>,
  sink: Sink,
): Promise<CallResult<Outcome<undefined>>> {
  const parts = createPartReader(made);
  const end = (outcome: Outcome<undefined>) => ({ ok: true, value: outcome }) as const;
  try {
    for (;;) {
      const read = await readInTime(stream, settings.timeoutMs);
      if (!read.ok) return read;
      const next = read.value ? parts.read(read.value) : parts.end();
      if (!next.ok) return end(next);
      for (const part of next.value) {
        if (!(await sink.add(part))) return end(failAnswer('parts are out of order'));
      }
      if (read.value) continue;
      await sink.flush();
      return end(succeed(undefined));
    }
  } finally {
    stream.cancel();
  }
}

const failAnswer = (why: string): Failed =>
  fail('UNEXPECTED', `the server answered with a proof that cannot be used: ${why}`);

/** The parts of a proof in the server's answers. */
function createPartReader(made: Export) {
  let head: StatementProofHead | undefined;
  return {
    read: ({ part }: Answer): Outcome<readonly ProofPart[]> => {
      if (part?.$case === 'head') {
        head = part.value;
        return succeed(toFirstParts(made, head));
      }
      if (!head) return failAnswer('it has no head');
      const first = head;
      if (part?.$case === 'digests') return succeed(part.value.digests.map(toDigestPart));
      if (part?.$case !== 'entries') return failAnswer('this version does not know a part of it');
      const entries = part.value.entries.map((entry) => toEntryPart(first, entry));
      const known = entries.filter((entry) => entry !== undefined);
      if (known.length === entries.length) return succeed(known);
      return failAnswer('this version does not know an operation of it');
    },
    end: (): Outcome<readonly ProofPart[]> =>
      head ? succeed(toLastParts(head)) : failAnswer('it has no head'),
  };
}

type Sink = ReturnType<typeof createSink>;

const flushLength = 256 * 1024;

/** Writes the parts of a proof to a file, a block at a time. */
function createSink(handle: FileHandle, progress: Progress) {
  const writer = createProofWriter();
  let [pending, position, parts] = ['', 0, 0];
  const flush = async (): Promise<void> => {
    const bytes = Buffer.from(pending);
    pending = '';
    await writeWhole(handle, bytes, position);
    position += bytes.length;
  };
  return {
    isEmpty: (): boolean => parts === 0,
    /** False for a part that is out of order. */
    add: async (part: ProofPart): Promise<boolean> => {
      const text = writer.add(part);
      if (text === undefined) return false;
      pending += text;
      parts += 1;
      if (pending.length < flushLength) return true;
      await flush();
      await progress.show(`fetching the proof  ${parts} parts`);
      return true;
    },
    flush,
  };
}
