import type { TransactionItem } from '../../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Clock } from '../../../rpc/retry.ts';
import type { RpcCaller } from '../../../rpc/caller.ts';
import type { AnsweredRow } from './answers.ts';
import type { DeferredRows } from './deferred-rows.ts';
import type { Chunk, ItemRow } from '../rows/chunk.ts';

/** Without any progress for so long the run ends; it can be resumed. */
export const patienceMs = 120_000;
export type SenderOptions = {
  readonly caller: RpcCaller;
  readonly clock: Clock;
  readonly isDryRun: boolean;
  readonly timeoutMs: number;
  /** The next chunk, or undefined at the end of the input. */
  readonly next: () => Promise<Chunk | undefined>;
  /** True once no more is to be begun. */
  readonly isStopped: () => boolean;
  /** Before rows up to this one are sent. */
  readonly onSend: (row: number) => Promise<void>;
  /** The ledger position from before the first row was sent, if an earlier run has noted it. */
  readonly position: string | undefined;
  /** Notes it durably, before any row is sent. */
  readonly onPosition: (position: string) => Promise<void>;
  /** What became of a chunk's rows, in order, without those that are deferred. */
  readonly onResults: (
    chunk: Chunk,
    answered: readonly AnsweredRow[],
    deferred: readonly ItemRow[],
  ) => Promise<void>;
  /** What became of rows that had been deferred. */
  readonly onLateResults: (answered: readonly AnsweredRow[]) => Promise<void>;
  /** A row was refused since its wallet is locked. */
  readonly onBusy: (row: ItemRow) => Promise<void>;
  readonly onRetry: (why: string) => Promise<void>;
};

/** What the sending and the retries know of each other. */
export type Shared = {
  readonly deferred: DeferredRows;
  /** The ledger position from before the first row was sent. */
  position: string | undefined;
  progressAtMs: number;
  /** Since when nothing is left to do but what is deferred. */
  blockedSinceMs: number | undefined;
  /** No more retries: the run is over. */
  isOver: boolean;
};

/**
 * What is sent for a row. One that was sent before without an answer names the position, so that
 * the server does not take for a replay what this run has done itself.
 */
export const toSentItem = (
  row: ItemRow,
  { position }: Pick<Shared, 'position'>,
): TransactionItem =>
  row.wasSent && position !== undefined ? { ...row.item, sentSince: position } : row.item;
