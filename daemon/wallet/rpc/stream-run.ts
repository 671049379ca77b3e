import { randomUUID } from 'node:crypto';

import {
  refuse,
  succeed,
  type Reason,
  type Rejection,
  type Result,
} from '../../../core/reasons.ts';
import type { StreamTransactionsRequest } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { AuditTrail } from '../../platform/audit/audit.ts';
import { refuseTransient } from '../../platform/db/refusals.ts';
import { classifyDbError, type Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { maskUnexpected } from '../../platform/grpc/errors.ts';
import { findTransientRejection } from '../../platform/transient-rejection.ts';
import type { Log } from '../../platform/log.ts';
import type { AuditedDecision, AuditedCommand } from '../requests/audited-command.ts';
import type { GroupCommit } from '../commit/group-commit.ts';
import type { Command } from '../domain.ts';
import type { ItemOptions } from '../requests/items.ts';
import { createGroupTail, type GroupTail } from '../requests/groups.ts';
import { createStoppedWallets, type StoppedWallets } from '../requests/stopped-wallets.ts';
import type { DryRun, DryRunOwner, DryRuns } from './dry-run.ts';

export type StreamOptions = ItemOptions & {
  readonly db: Db;
  readonly groupCommit: GroupCommit<AuditedCommand, AuditedDecision>;
  readonly isOutboxFull: () => boolean;
  readonly trail: AuditTrail;
  readonly log: Log;
};

/**
 * Transient failures. After the first one nothing more is begun on the stream, so that an item is
 * never done without those before it. A wallet that is locked stops itself only.
 */
export const transientReasons: ReadonlySet<Reason> = new Set<Reason>([
  'DATABASE_UNAVAILABLE',
  'DATABASE_BUSY',
  'AUTH_UNAVAILABLE',
  'OVERLOADED',
  'OUTBOX_FULL',
  'OUTCOME_UNKNOWN',
]);

/** The state of one stream. */
export type StreamRun = {
  /** Names the stream in the audit log; the caller has no say in it. */
  readonly id: string;
  readonly options: StreamOptions;
  readonly context: CallContext;
  readonly dryRuns: DryRuns;
  readonly counts: Record<'items' | 'done' | 'replayed' | 'refused', number>;
  /** What is in flight and may be undone or captured, by transaction id. */
  readonly pending: Map<string, Command>;
  /** The first transient failure: everything after it is refused likewise. */
  failure?: Rejection;
  /** Wallets on which nothing more is begun: each is locked, or met a defect. */
  readonly stopped: StoppedWallets;
  /** Finds a group that was cut by the end of a message. */
  readonly groupTail: GroupTail;
  isEnded: boolean;
  /** The outbox had no room: what is new from then on is refused. */
  isOutboxFull: boolean;
  /** From the first message on. */
  mode?: 'real' | DryRun;
};

export const createStreamRun = (
  options: StreamOptions,
  dryRuns: DryRuns,
  context: CallContext,
): StreamRun => ({
  id: randomUUID(),
  options,
  context,
  dryRuns,
  counts: { items: 0, done: 0, replayed: 0, refused: 0 },
  pending: new Map(),
  stopped: createStoppedWallets(),
  groupTail: createGroupTail(),
  isEnded: false,
  isOutboxFull: false,
});

/** `dry_run` counts for the whole stream; a later message cannot change that. */
export function chooseMode(
  run: StreamRun,
  { dryRun }: StreamTransactionsRequest,
): Result<'real' | DryRun> {
  if (run.mode === undefined) {
    if (dryRun) {
      const dry = run.dryRuns.begin(run.options.db, ownerOf(run), run.options.defaultLimits);
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
function ownerOf({ context }: StreamRun): DryRunOwner {
  const { principal, stream } = context;
  return {
    userId: principal.kind === 'user' ? principal.userId : principal.kind,
    findIdleSinceMs: () => stream?.findIdleSinceMs(),
    end: (rejection) => stream?.end(rejection),
  };
}

/** The refusal for an error: transient, or a defect that is in the log. */
export function explainFailure({ options, context }: StreamRun, err: unknown): Rejection {
  const transient = findTransientRejection(err);
  if (transient) return transient;
  return classifyDbError(err) === 'transient'
    ? refuseTransient(err).rejection
    : maskUnexpected(err, options.log, context.requestId);
}

export const refusalOf = (rejection: Rejection | undefined): Result<never> =>
  rejection ? { ok: false, rejection } : refuse('INTERNAL', 'a refusal without a reason');
