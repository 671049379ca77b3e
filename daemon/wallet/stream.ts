import { randomUUID } from 'node:crypto';

import { refuse, succeed, type Reason, type Rejection, type Result } from '../../core/reasons.ts';
import type {
  StreamTransactionsRequest,
  StreamTransactionsResponse,
  WalletServiceServer,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { AuditTrail } from '../platform/audit.ts';
import { refuseTransient } from '../platform/db-refusals.ts';
import { classifyDbError, type Db } from '../platform/db.ts';
import type { BidiHandler, CallContext, Handlers } from '../platform/grpc/calls.ts';
import { maskUnexpected } from '../platform/grpc/errors.ts';
import { createHold, findHeld } from '../platform/hold.ts';
import type { Log } from '../platform/log.ts';
import { pipeline, type Begun } from '../platform/pipeline.ts';
import { withAudits } from './audit.ts';
import type { Command } from './domain.ts';
import { createDryRuns, type DryRun, type DryRunOwner, type DryRuns } from './dry-run.ts';
import { reportForeign } from './foreign.ts';
import type { GroupCommit } from './commit/group-commit.ts';
import { readItems, type ItemOptions } from './items.ts';
import { onlyIfDone } from './outbox-full.ts';
import type { Posted, Posting } from './posting.ts';
import { splitResults, toWireResult } from './stream-wire.ts';

export type StreamOptions = ItemOptions & {
  readonly db: Db;
  readonly groupCommit: GroupCommit<Posting, Posted>;
  readonly isOutboxFull: () => boolean;
  readonly trail: AuditTrail;
  readonly log: Log;
};

type Handler = BidiHandler<StreamTransactionsRequest, StreamTransactionsResponse>;

/** In one message. */
export const maxItems = 1_024;
/** Messages of one stream that are begun and not yet taken by the client. */
const maxInHand = 4;
/** A message waits for a database that is away as long as a call without a deadline would. */
const patienceMs = 30_000;

/**
 * Trouble that will pass. After the first such refusal nothing more is begun on the stream, so
 * that what was sent later is never done without what was sent before it. A wallet that is locked
 * stops itself only.
 */
const passing: ReadonlySet<Reason> = new Set<Reason>([
  'DATABASE_UNAVAILABLE',
  'DATABASE_BUSY',
  'AUTH_UNAVAILABLE',
  'OVERLOADED',
  'OUTBOX_FULL',
  'OUTCOME_UNKNOWN',
]);

/** The RPC StreamTransactions; ARCHITECTURE.md and docs/decisions/0036 say how it behaves. */
export function createStreamHandlers(options: StreamOptions): Handlers<WalletServiceServer> {
  const dryRuns = createDryRuns();
  const streamTransactions: Handler = (requests, context) => {
    const run = createRun(options, dryRuns, context);
    return Promise.resolve(succeed(answer(run, requests)));
  };
  return { streamTransactions };
}

/** What one stream knows while it lives. */
type Run = {
  /** Names the stream in the audit log; the caller has no say in it. */
  readonly id: string;
  readonly options: StreamOptions;
  readonly context: CallContext;
  readonly dryRuns: DryRuns;
  readonly counts: Record<'items' | 'done' | 'replayed' | 'refused', number>;
  /** Currencies of what is in hand, by transaction id, where it is not the default. */
  readonly pending: Map<string, string>;
  /** The first refusal that will pass: everything after it is refused likewise. */
  trouble?: Rejection;
  /** What nothing more is begun on, by the wallet's id: a wallet that is locked, or met a defect. */
  readonly stopped: Map<string, Rejection>;
  isEnded: boolean;
  /** The outbox had no room: what is new from then on is refused. */
  isOutboxFull: boolean;
  /** From the first message on. */
  mode?: 'real' | DryRun;
};

const createRun = (options: StreamOptions, dryRuns: DryRuns, context: CallContext): Run => ({
  id: randomUUID(),
  options,
  context,
  dryRuns,
  counts: { items: 0, done: 0, replayed: 0, refused: 0 },
  pending: new Map(),
  stopped: new Map(),
  isEnded: false,
  isOutboxFull: false,
});

async function* answer(
  run: Run,
  requests: AsyncIterable<StreamTransactionsRequest>,
): AsyncGenerator<StreamTransactionsResponse, void> {
  let result: string = 'CANCELLED';
  try {
    for await (const results of pipeline(requests, (request) => begin(run, request), maxInHand)) {
      yield* splitResults(results.map(toWireResult));
      run.context.stream?.finishRequest();
    }
    result = 'ok';
  } catch (err) {
    // A client that is gone ends its requests with an error, which is no news.
    if (run.context.isCancelled()) return;
    const rejection = findHeld(err);
    result = rejection?.reason ?? 'INTERNAL';
    throw err;
  } finally {
    run.isEnded = true;
    if (run.mode !== undefined && run.mode !== 'real') run.mode.release();
    await record(run, result);
  }
}

/** What staff were told by a dry run. What a stream did is recorded with each of its commits. */
async function record({ options, context, counts, mode }: Run, result: string): Promise<void> {
  if (mode === undefined || mode === 'real') return;
  const { principal } = context;
  if (principal.kind !== 'user' || principal.role === 'customer') return;
  const numbers = Object.entries(counts).map(([name, count]) => [name, String(count)]);
  const details = Object.fromEntries(numbers) as Record<string, string>;
  const line = { action: 'transaction.dry_run', target: '', result, details };
  await options.trail.record(context, line);
}

/** Reads a message and hands its commands on; resolves once there is room for them. */
async function begin(
  run: Run,
  request: StreamTransactionsRequest,
): Promise<Begun<readonly Result<Posted>[]>> {
  const mode = chooseMode(run, request);
  if (!mode.ok) throw createHold(mode.rejection);
  run.counts.items += request.items.length;
  const read = await readAll(run, request);
  const commands: Command[] = [];
  for (const item of read) if (item.ok) commands.push(item.value);
  const { settled } =
    mode.value === 'real' ? await submit(run, commands) : await tryOut(run, mode.value, commands);
  return { settled: settled.then((posted) => merge(run, read, posted)) };
}

/** `dry_run` counts for the whole stream; a later message cannot quietly ask for one. */
function chooseMode(run: Run, { dryRun }: StreamTransactionsRequest): Result<'real' | DryRun> {
  if (run.mode === undefined) {
    if (dryRun) {
      const dry = run.dryRuns.begin(run.options.db, ownerOf(run));
      if (!dry.ok) return dry;
      run.mode = dry.value;
    } else {
      run.mode = 'real';
    }
  }
  return run.mode === 'real' && dryRun
    ? refuse('INVALID_ARGUMENT', 'dry_run counts from the first message of a stream on', {
        field: 'dry_run',
      })
    : succeed(run.mode);
}

/** A stream ends with its dry run, so it may be ended while nothing of it is in flight. */
function ownerOf({ context }: Run): DryRunOwner {
  const { principal, stream } = context;
  return {
    userId: principal.kind === 'user' ? principal.userId : principal.kind,
    findIdleSinceMs: () => stream?.findIdleSinceMs(),
    end: (rejection) => stream?.end(rejection),
  };
}

/** A command, or a refusal, for each item. Denials are told to the audit log. */
async function readAll(
  run: Run,
  { items }: StreamTransactionsRequest,
): Promise<readonly Result<Command>[]> {
  const { options, context } = run;
  // From here on nothing new is begun on this stream; what was done before is still answered.
  if (run.mode === 'real' && options.isOutboxFull()) run.isOutboxFull = true;
  if (run.trouble) return items.map(() => refusalOf(run.trouble));
  const findPending = (id: string): string | undefined =>
    run.pending.get(id) ?? (run.mode === 'real' ? undefined : run.mode?.findCurrency(id));
  try {
    const read = stopItems(run, await readItems(options, items, context, findPending));
    for (const item of read) {
      if (item.ok) {
        const { currency } = item.value.wallet;
        if (currency !== options.defaultCurrency) {
          run.pending.set(item.value.transactionId, currency);
        }
        continue;
      }
      if (passing.has(item.rejection.reason)) run.trouble ??= item.rejection;
      if (item.rejection.isDenial) {
        options.trail.recordDenial(context, 'streamTransactions', item.rejection);
      }
    }
    return read;
  } catch (err) {
    const rejection = explain(run, err);
    if (passing.has(rejection.reason)) run.trouble ??= rejection;
    return items.map(() => refusalOf(rejection));
  }
}

/** What is asked of wallets on which nothing more is begun is refused as the first was. */
const stopItems = (run: Run, items: readonly Result<Command>[]): readonly Result<Command>[] =>
  run.stopped.size === 0
    ? items
    : items.map((item) => {
        const rejection = item.ok ? run.stopped.get(item.value.wallet.id) : undefined;
        return rejection ? refusalOf(rejection) : item;
      });

function submit(run: Run, commands: readonly Command[]): Promise<Begun<readonly Result<Posted>[]>> {
  const { options, context } = run;
  const waiting = {
    deadlineMs: Math.min(context.deadlineMs, performance.now() + patienceMs),
    patienceMs,
    isCancelled: ({ wallet }: Command) =>
      run.isEnded ||
      context.isCancelled() ||
      run.trouble !== undefined ||
      run.stopped.has(wallet.id),
    onGivenUp: (rejection: Rejection, { wallet }: Command) => {
      if (passing.has(rejection.reason)) run.trouble ??= rejection;
      else if (!run.stopped.has(wallet.id)) run.stopped.set(wallet.id, rejection);
    },
  };
  const added = withAudits(commands, context, run.id);
  const postings = run.isOutboxFull ? added.map(onlyIfDone) : added;
  return options.groupCommit.submitMany(postings, waiting);
}

async function tryOut(
  run: Run,
  dryRun: DryRun,
  commands: readonly Command[],
): Promise<Begun<readonly Result<Posted>[]>> {
  const posted = await dryRun.decide(commands).catch((err: unknown) => {
    const rejection = explain(run, err);
    run.trouble ??= rejection;
    return commands.map(() => refusalOf(rejection));
  });
  return { settled: Promise.resolve(posted) };
}

/** The answers to the commands in the places of their items, counted. */
function merge(
  run: Run,
  read: readonly Result<Command>[],
  posted: readonly Result<Posted>[],
): readonly Result<Posted>[] {
  let next = 0;
  const results = read.map((item): Result<Posted> => {
    if (!item.ok) return item;
    run.pending.delete(item.value.transactionId);
    const result = posted[next++] ?? refuse('INTERNAL', 'an item was not answered');
    if (result.ok || result.rejection.reason !== 'CANCELLED') return result;
    const heldBackBy = run.trouble ?? run.stopped.get(item.value.wallet.id);
    return heldBackBy ? refusalOf(heldBackBy) : result;
  });
  for (const result of results) {
    if (!result.ok) {
      run.counts.refused += 1;
      reportForeign(run.options, run.context, 'streamTransactions', result.rejection);
    } else if (result.value.isReplayed) run.counts.replayed += 1;
    else run.counts.done += 1;
  }
  return results;
}

function explain({ options, context }: Run, err: unknown): Rejection {
  const held = findHeld(err);
  if (held) return held;
  return classifyDbError(err) === 'transient'
    ? refuseTransient(err).rejection
    : maskUnexpected(err, options.log, context.requestId);
}

const refusalOf = (rejection: Rejection | undefined): Result<never> =>
  rejection ? { ok: false, rejection } : refuse('INTERNAL', 'a refusal without a reason');
