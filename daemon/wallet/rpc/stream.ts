import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import type {
  StreamTransactionsRequest,
  StreamTransactionsResponse,
  WalletServiceServer,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { BidiHandler, Handlers } from '../../platform/grpc/calls.ts';
import {
  createTransientRejection,
  findTransientRejection,
} from '../../platform/transient-rejection.ts';
import { pipeline, type Begun } from '../../platform/concurrency/ordered-pipeline.ts';
import { withAudits } from '../requests/audit.ts';
import type { Command } from '../domain.ts';
import { createDryRuns, type DryRun } from './dry-run.ts';
import { reportDenial } from '../requests/denials.ts';
import { isParent, parentMadeBy, readItems, type Parent } from '../requests/items.ts';
import { onlyIfDone } from '../events/outbox-full.ts';
import type { AuditedDecision } from '../requests/audited-command.ts';
import {
  chooseMode,
  createStreamRun,
  explainFailure,
  refusalOf,
  transientReasons,
  type StreamOptions,
  type StreamRun,
} from './stream-run.ts';
import { addReplayedHolds } from './replayed-holds.ts';
import { claimOwnReplays } from './sent-again.ts';
import { readPosition } from '../store/positions.ts';
import { splitResults, toWireResult } from './stream-wire.ts';

type Handler = BidiHandler<StreamTransactionsRequest, StreamTransactionsResponse>;

/** In one message. */
export const maxItems = 1_024;
/** Messages of one stream that are begun and not yet taken by the client. */
const maxInFlight = 4;
/** A message waits for an unavailable database as long as a call without a deadline would. */
const patienceMs = 30_000;

/** The RPC StreamTransactions; ARCHITECTURE.md and docs/decisions/0036 say how it behaves. */
export function createStreamHandlers(options: StreamOptions): Handlers<WalletServiceServer> {
  const dryRuns = createDryRuns();
  const streamTransactions: Handler = (requests, context) => {
    const run = createStreamRun(options, dryRuns, context);
    return Promise.resolve(succeed(answer(run, requests)));
  };
  return { streamTransactions };
}

async function* answer(
  run: StreamRun,
  requests: AsyncIterable<StreamTransactionsRequest>,
): AsyncGenerator<StreamTransactionsResponse, void> {
  let result: string = 'CANCELLED';
  try {
    const answers = pipeline(requests, (request) => begin(run, request), maxInFlight);
    for await (const { results, ledgerPosition } of answers) {
      yield* splitResults(results.map(toWireResult), ledgerPosition);
      run.context.stream?.finishRequest();
    }
    result = 'ok';
  } catch (err) {
    // A client that is gone ends its requests with an error, which is no news.
    if (run.context.isCancelled()) return;
    const rejection = findTransientRejection(err);
    result = rejection?.reason ?? 'INTERNAL';
    throw err;
  } finally {
    run.isEnded = true;
    if (run.mode !== undefined && run.mode !== 'real') run.mode.release();
    await record(run, result);
  }
}

/** Records what a dry run showed to staff. A stream that commits is recorded with each commit. */
async function record(
  { options, context, counts, mode }: StreamRun,
  result: string,
): Promise<void> {
  if (mode === undefined || mode === 'real') return;
  const { principal } = context;
  if (principal.kind !== 'user' || principal.role === 'customer') return;
  const numbers = Object.entries(counts).map(([name, count]) => [name, String(count)]);
  const details = Object.fromEntries(numbers) as Record<string, string>;
  const line = { action: 'transaction.dry_run', target: '', result, details };
  await options.trail.record(context, line);
}

/** Reads a message and hands its commands on; resolves once there is room for them. */
async function begin(run: StreamRun, request: StreamTransactionsRequest): Promise<Begun<Answer>> {
  const mode = chooseMode(run, request);
  if (!mode.ok) throw createTransientRejection(mode.rejection);
  const ledgerPosition = await findPosition(run, request);
  run.counts.items += request.items.length;
  const read = await readAll(run, request);
  const commands: Command[] = [];
  for (const item of read) if (item.ok) commands.push(item.value);
  const { completed } =
    mode.value === 'real'
      ? await submit(run, commands)
      : await decideDry(run, mode.value, commands);
  const completeAll = async (): Promise<Answer> => {
    const merged = merge(run, read, await completed);
    const isReal = mode.value === 'real';
    const { db } = run.options;
    const claimed = isReal ? await claimOwnReplays(db, request.items, merged) : merged;
    const results = await addReplayedHolds(db, claimed);
    count(run, results);
    return { results, ledgerPosition };
  };
  return { completed: completeAll() };
}

/** What a message is answered with. */
type Answer = {
  readonly results: readonly Result<AuditedDecision>[];
  readonly ledgerPosition: string | undefined;
};

/** The position from before the items of a message, where it asks for that. */
async function findPosition(
  run: StreamRun,
  { withPosition }: StreamTransactionsRequest,
): Promise<string | undefined> {
  if (!withPosition) return undefined;
  try {
    return await run.options.db.read(readPosition);
  } catch (err) {
    throw createTransientRejection(explainFailure(run, err));
  }
}

/** A command, or a refusal, for each item. Denials are recorded in the audit log. */
async function readAll(
  run: StreamRun,
  { items }: StreamTransactionsRequest,
): Promise<readonly Result<Command>[]> {
  const { options, context } = run;
  // From here on nothing new is begun on this stream; what was done before is still answered.
  if (run.mode === 'real' && options.isOutboxFull()) run.isOutboxFull = true;
  if (run.failure) return items.map(() => refusalOf(run.failure));
  const findPending = (userId: string, id: string): Parent | undefined => {
    const command = run.pending.get(id);
    const parent = command && parentMadeBy(command, userId);
    return parent ?? (run.mode === 'real' ? undefined : run.mode?.findParent(userId, id));
  };
  try {
    const named = await readItems(options, items, context, findPending);
    const read = stopItems(run, run.groupTail.check(items, named));
    for (const item of read) {
      if (item.ok) {
        const { transactionId } = item.value;
        if (isParent(item.value, options.defaultCurrency))
          run.pending.set(transactionId, item.value);
        continue;
      }
      if (transientReasons.has(item.rejection.reason)) run.failure ??= item.rejection;
      if (item.rejection.isDenial) {
        options.trail.recordDenial(context, 'streamTransactions', item.rejection);
      }
    }
    return read;
  } catch (err) {
    const rejection = explainFailure(run, err);
    if (transientReasons.has(rejection.reason)) run.failure ??= rejection;
    return items.map(() => refusalOf(rejection));
  }
}

/** What is asked of wallets on which nothing more is begun is refused as the first was. */
const stopItems = (
  run: StreamRun,
  items: readonly Result<Command>[],
): readonly Result<Command>[] =>
  run.stopped.isEmpty()
    ? items
    : items.map((item) => {
        const rejection = item.ok ? run.stopped.find(item.value) : undefined;
        return rejection ? refusalOf(rejection) : item;
      });

function submit(
  run: StreamRun,
  commands: readonly Command[],
): Promise<Begun<readonly Result<AuditedDecision>[]>> {
  const { options, context } = run;
  const waiting = {
    deadlineMs: Math.min(context.deadlineMs, performance.now() + patienceMs),
    patienceMs,
    isCancelled: (command: Command) =>
      run.isEnded ||
      context.isCancelled() ||
      run.failure !== undefined ||
      run.stopped.find(command) !== undefined,
    onGivenUp: (rejection: Rejection, command: Command) => {
      if (transientReasons.has(rejection.reason)) run.failure ??= rejection;
      else run.stopped.add(command, rejection);
    },
  };
  const added = withAudits(commands, context, { kind: 'stream', id: run.id });
  const audited = run.isOutboxFull ? added.map(onlyIfDone) : added;
  return options.groupCommit.submitMany(audited, waiting);
}

async function decideDry(
  run: StreamRun,
  dryRun: DryRun,
  commands: readonly Command[],
): Promise<Begun<readonly Result<AuditedDecision>[]>> {
  const posted = await dryRun.decide(commands).catch((err: unknown) => {
    const rejection = explainFailure(run, err);
    run.failure ??= rejection;
    return commands.map(() => refusalOf(rejection));
  });
  return { completed: Promise.resolve(posted) };
}

/** The answers to the commands in the places of their items. */
function merge(
  run: StreamRun,
  read: readonly Result<Command>[],
  posted: readonly Result<AuditedDecision>[],
): readonly Result<AuditedDecision>[] {
  let next = 0;
  return read.map((item): Result<AuditedDecision> => {
    if (!item.ok) return item;
    // What is answered is in the database, or nowhere.
    if (run.pending.size > 0) run.pending.delete(item.value.transactionId);
    const result = posted[next++] ?? refuse('INTERNAL', 'an item was not answered');
    if (result.ok || result.rejection.reason !== 'CANCELLED') return result;
    const refusal = run.failure ?? run.stopped.find(item.value);
    return refusal ? refusalOf(refusal) : result;
  });
}

function count(run: StreamRun, results: readonly Result<AuditedDecision>[]): void {
  for (const result of results) {
    if (!result.ok) {
      run.counts.refused += 1;
      reportDenial(run.options, run.context, 'streamTransactions', result.rejection);
    } else if (result.value.isReplayed) run.counts.replayed += 1;
    else run.counts.done += 1;
  }
}
