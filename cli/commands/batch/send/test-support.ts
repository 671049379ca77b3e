import type { Reason } from '../../../../core/reasons.ts';
import type {
  StreamTransactionsRequest,
  StreamTransactionsResponse,
  TransactionItem,
  TransactionResult,
} from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { item } from '../../../../tests/support/grpc/client.ts';
import { toLostFailure, type CallFailure, type CallResult } from '../../../rpc/errors.ts';
import { succeed, type Outcome } from '../../../outcome.ts';
import { created } from '../../../test-support.ts';
import type { Chunk, ItemRow } from '../rows/chunk.ts';
import type { AnsweredRow } from './answers.ts';
import { sendChunks } from './send.ts';
import type { SenderOptions } from './sender.ts';

type Answer = CallResult<StreamTransactionsResponse | undefined>;

/** What a server makes of one message, on a stream of its number; undefined: no answer. */
export type Serve = (
  items: readonly TransactionItem[],
  stream: number,
) => readonly TransactionResult[] | CallFailure | undefined;

export const doneOf = (one: TransactionItem): TransactionResult => {
  const { transaction } = created({ item: one, dryRun: false });
  return { outcome: { $case: 'created', value: { transaction, replayed: false } } };
};
export const refusalOf = (reason: Reason): TransactionResult => ({
  outcome: { $case: 'refusal', value: { reason, message: `because ${reason}`, metadata: {} } },
});

/** The end of a stream with a reason of the server's. */
export const endOf = (reason: Reason, change: Partial<CallFailure> = {}): CallFailure => ({
  ...toLostFailure(`ended with ${reason}`),
  ...{ reason, certainty: 'refused' as const },
  ...change,
});

export const rowOf = (row: number, userId = 'ana', change: Partial<ItemRow> = {}): ItemRow => ({
  ...{ row, userId, item: item({ userId, idempotencyKey: `key ${row}`, currency: 'BRL' }) },
  text: {} as ItemRow['text'],
  wasSent: false,
  ...change,
});

export const chunkOf = (...rows: readonly ItemRow[]): Chunk => ({
  ...{ rows, digest: String(rows.at(-1)?.row), isLate: false },
});

const keysOf = (items: readonly TransactionItem[]) => items.map((one) => one.idempotencyKey);

type Log = {
  readonly serve: Serve;
  readonly events: string[];
  readonly sent: { readonly keys: string[]; readonly sentSince: (string | undefined)[] }[];
};

/** A stream whose answers come as soon as a message is written. */
function openStream(stream: number, { serve, events, sent }: Log, onCancel: () => void) {
  const answers: Answer[] = [];
  let wake: () => void = () => undefined;
  let isEnded = false;
  events.push(`open ${stream}`);
  const answer = (one: Answer): void => {
    answers.push(one);
    wake();
  };
  return {
    write: ({ items, withPosition }: Partial<StreamTransactionsRequest>) => {
      if (withPosition) {
        answer({ ok: true, value: { results: [], ledgerPosition: `at ${stream}` } });
        return Promise.resolve();
      }
      events.push(`write ${keysOf(items ?? []).join()}`);
      sent.push({ keys: keysOf(items ?? []), sentSince: (items ?? []).map((i) => i.sentSince) });
      const served = serve(items ?? [], stream);
      if (served === undefined) return Promise.resolve();
      answer(
        'certainty' in served
          ? { ok: false, failure: served }
          : { ok: true, value: { results: [...served], ledgerPosition: undefined } },
      );
      return Promise.resolve();
    },
    end: () => {
      isEnded = true;
      wake();
    },
    read: async (): Promise<Answer> => {
      while (answers.length === 0 && !isEnded) await new Promise<void>((r) => (wake = r));
      return answers.shift() ?? { ok: true, value: undefined };
    },
    cancel: () => {
      onCancel();
      if (!isEnded) answer({ ok: false, failure: toLostFailure('cancelled') });
    },
  };
}

/** A batch before a server that is a function, with a clock that goes on by itself. */
export function createWorld(chunks: readonly Chunk[], serve: Serve, change = {}) {
  /** What happened, in order. */
  const events: string[] = [];
  const sent: { readonly keys: string[]; readonly sentSince: (string | undefined)[] }[] = [];
  const results: string[] = [];
  const positions: string[] = [];
  let [nowMs, streams, cancelled] = [0, 0, 0];
  const left = [...chunks];

  const open = () => openStream((streams += 1), { serve, events, sent }, () => (cancelled += 1));
  const note = (answered: readonly AnsweredRow[], kind: string): Promise<void> => {
    const texts = answered.map(({ row, answer }) => `${row.row} ${outcomeOf(answer)}`);
    events.push(`${kind} ${texts.join()}`);
    results.push(...texts);
    return Promise.resolve();
  };
  const options: SenderOptions = {
    caller: { openStream: () => Promise.resolve(succeed({ ok: true, value: open() })) } as never,
    clock: {
      now: () => nowMs,
      elapsed: () => nowMs,
      sleep: async (durationMs) => {
        nowMs += durationMs;
        await new Promise((resolve) => setImmediate(resolve));
      },
    },
    ...{ isDryRun: false, timeoutMs: 60_000, position: undefined, isStopped: () => false },
    next: () => Promise.resolve(left.shift()),
    onSend: (row) => Promise.resolve(void events.push(`send ${row}`)),
    onPosition: (position) => Promise.resolve(void positions.push(position)),
    onResults: (_chunk, answered) => note(answered, 'results'),
    onLateResults: (answered) => note(answered, 'late'),
    onBusy: () => Promise.resolve(),
    onRetry: (why) => Promise.resolve(void events.push(`retry: ${why}`)),
    ...change,
  };
  return {
    ...{ events, sent, results, positions, options },
    streams: () => streams,
    cancelled: () => cancelled,
    nowMs: () => nowMs,
    run: (): Promise<Outcome<undefined>> => sendChunks(options),
  };
}

function outcomeOf(answer: TransactionResult | undefined): string {
  const outcome = answer?.outcome;
  if (!outcome) return 'none';
  return outcome.$case === 'refusal' ? outcome.value.reason : 'done';
}
