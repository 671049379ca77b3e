import { randomUUID } from 'node:crypto';

import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import type {
  BatchCreateTransactionsRequest,
  BatchCreateTransactionsResponse,
  WalletServiceServer,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { deny } from '../../platform/access/access.ts';
import type { AuditTrail } from '../../platform/audit/audit.ts';
import { recordRead } from '../../platform/audit/reads.ts';
import type { CallContext, Handlers } from '../../platform/grpc/calls.ts';
import { createCounts } from '../../platform/grpc/admission/counts.ts';
import type { GroupCommit } from '../commit/group-commit.ts';
import type { Command } from '../domain.ts';
import { onlyIfDone } from '../events/outbox-full.ts';
import { resultOf, withAudits } from '../requests/audit.ts';
import type { AuditedCommand, AuditedDecision } from '../requests/audited-command.ts';
import { reportDenial } from '../requests/denials.ts';
import { readItems, type ItemOptions } from '../requests/items.ts';
import { createStoppedWallets } from '../requests/stopped-wallets.ts';
import { decideMany } from './dry-run.ts';
import { addReplayedHolds } from './replayed-holds.ts';
import { claimOwnReplays } from './sent-again.ts';
import { limitTexts, toWireResult } from './stream-wire.ts';

export type BatchOptions = ItemOptions & {
  readonly groupCommit: GroupCommit<AuditedCommand, AuditedDecision>;
  readonly isOutboxFull: () => boolean;
  readonly trail: Pick<AuditTrail, 'record' | 'recordDenial' | 'recordForeign'>;
  readonly limits?: BatchLimits;
};

export type BatchLimits = {
  /** Items of batches in flight: one that waits for its commit takes some 1 KiB. */
  readonly all: number;
  /** The same, of one user. */
  readonly ofOne: number;
  /** How long a batch waits for room in the queue. */
  readonly waitMs: number;
};

type Handler = NonNullable<Handlers<WalletServiceServer>['batchCreateTransactions']>;
type Outcomes = readonly Result<AuditedDecision>[];

/** In one request: about as many as one commit takes. */
export const maxBatchItems = 1_000;
/** All of them together are committed in some 3 seconds. */
const defaultLimits: BatchLimits = { all: 131_072, ofOne: 65_536, waitMs: 5_000 };
const method = 'batchCreateTransactions';
/** So long before the caller's deadline the items without an outcome are answered: in time. */
const answerMs = 250;

/**
 * The RPC BatchCreateTransactions: like one message of a stream, but what stops an item stops only
 * the later items on its wallet. Refuses the whole call only where nothing was done: no items,
 * OVERLOADED, DATABASE_UNAVAILABLE.
 */
export function createBatchHandlers(options: BatchOptions): Handlers<WalletServiceServer> {
  const { all, ofOne } = options.limits ?? defaultLimits;
  const inFlight = createCounts();
  const batchCreateTransactions: Handler = async (request, context) => {
    const count = request.items.length;
    if (count === 0) return noItems;
    const { principal } = context;
    if (principal.kind !== 'user') return deny('a user must move money');
    if (inFlight.total() + count > all) return tooManyItems('the server has', all);
    if (!inFlight.take(principal.userId, ofOne, count)) return tooManyItems('you have', ofOne);
    try {
      return await createAll(options, request, context);
    } finally {
      inFlight.release(principal.userId, count);
    }
  };
  return { batchCreateTransactions };
}

async function createAll(
  options: BatchOptions,
  { items, dryRun }: BatchCreateTransactionsRequest,
  context: CallContext,
): Promise<Result<BatchCreateTransactionsResponse>> {
  const read = await readItems(options, items, context, () => undefined);
  const commands: Command[] = [];
  for (const item of read) if (item.ok) commands.push(item.value);
  const decided = dryRun
    ? succeed(
        commands.length > 0
          ? await decideMany(options.db, commands, undefined, options.defaultLimits)
          : [],
      )
    : await commit(options, commands, context);
  if (!decided.ok) return decided;
  const merged = merge(read, decided.value);
  const claimed = dryRun ? merged : await claimOwnReplays(options.db, items, merged);
  const outcomes = await addReplayedHolds(options.db, claimed);
  if (dryRun) {
    const recorded = await recordDryRun(options, outcomes, context);
    if (!recorded.ok) return recorded;
  }
  reportDenials(options, outcomes, context);
  return succeed({ results: limitTexts(outcomes.map(toWireResult)) });
}

/** An outcome for each command; OVERLOADED if there was no room for them, and nothing was done. */
async function commit(
  options: BatchOptions,
  commands: readonly Command[],
  context: CallContext,
): Promise<Result<Outcomes>> {
  if (commands.length === 0) return succeed([]);
  const leftMs = context.deadlineMs - performance.now();
  const deadlineMs = context.deadlineMs - Math.min(answerMs, Math.max(0, leftMs / 4));
  const { waitMs } = options.limits ?? defaultLimits;
  const stopped = createStoppedWallets();
  let isRefused = false;
  const waiting = {
    deadlineMs,
    isCancelled: (command: Command) =>
      isRefused || context.isCancelled() || stopped.find(command) !== undefined,
    onGivenUp: (rejection: Rejection, command: Command) => stopped.add(command, rejection),
  };
  const audited = withAudits(commands, context, { kind: 'batch', id: randomUUID() });
  const added = options.isOutboxFull() ? audited.map(onlyIfDone) : audited;
  const waitsUntilMs = Math.min(deadlineMs, performance.now() + waitMs);
  const begun = await untilMs(waitsUntilMs, options.groupCommit.submitMany(added, waiting));
  if (!begun) {
    // Whatever finds room later is given up before it is begun.
    isRefused = true;
    return noRoom;
  }
  const completed = await begun.completed;
  return succeed(
    completed.map((outcome, i): Result<AuditedDecision> => {
      if (outcome.ok || outcome.rejection.reason !== 'CANCELLED') return outcome;
      const command = commands[i];
      const rejection = command && stopped.find(command);
      return rejection ? { ok: false, rejection } : outcome;
    }),
  );
}

/** What the work gives, or undefined where that takes longer. */
async function untilMs<T>(timeMs: number, work: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), Math.max(0, timeMs - performance.now()));
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The outcomes of the commands in the places of their items. */
function merge(read: readonly Result<Command>[], decided: Outcomes): Outcomes {
  let next = 0;
  return read.map((item): Result<AuditedDecision> => {
    if (!item.ok) return item;
    return decided[next++] ?? refuse('INTERNAL', 'an item was not answered');
  });
}

function reportDenials(options: BatchOptions, outcomes: Outcomes, context: CallContext): void {
  for (const outcome of outcomes) {
    if (outcome.ok) continue;
    const { rejection } = outcome;
    if (rejection.isDenial) options.trail.recordDenial(context, method, rejection);
    else reportDenial(options, context, method, rejection);
  }
}

/** A dry run shows staff balances of others, so it is recorded as a read. */
function recordDryRun(
  { trail }: BatchOptions,
  outcomes: Outcomes,
  context: CallContext,
): Promise<Result<void>> {
  const count = (isCounted: (outcome: Result<AuditedDecision>) => boolean): string =>
    String(outcomes.filter(isCounted).length);
  const details = {
    items: String(outcomes.length),
    done: count((outcome) => resultOf(outcome) === 'ok'),
    replayed: count((outcome) => resultOf(outcome) === 'replayed'),
    refused: count((outcome) => !outcome.ok),
  };
  return recordRead(trail, context, { action: 'transaction.dry_run', target: '', details });
}

const noItems = refuse('INVALID_ARGUMENT', 'items is empty: send 1 to 1,000 items', {
  field: 'items',
});

const noRoom = refuse(
  'OVERLOADED',
  'the server has too many commands pending: nothing was done, try again shortly',
);

const tooManyItems = (whose: string, limit: number) =>
  refuse(
    'OVERLOADED',
    `${whose} more than ${limit} items of batches in flight: nothing was done, try again shortly`,
    { limit: String(limit) },
  );
