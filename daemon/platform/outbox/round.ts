import type { Broker } from '../broker/broker.ts';
import type { Db } from '../db/db.ts';
import type { Log } from '../log.ts';
import type { Timing } from '../metrics.ts';
import { createPublicError } from '../progress/public-error.ts';
import type { ProgressWatch } from '../progress/watch.ts';
import type { Lease } from './lease.ts';
import type { LoadReferred } from './rows.ts';

// What rounds for our own queues and rounds for listeners share.

export type RelayOptions = {
  readonly db: Db;
  readonly broker: Pick<Broker, 'publish'> & Partial<Pick<Broker, 'findTrouble'>>;
  readonly log: Log;
  /** The service whose outbox it is, for reports of stalls. */
  readonly owner?: string;
  readonly watch?: ProgressWatch;
  /** Makes again what was appended by reference. */
  readonly load?: LoadReferred;
  /** Told how long the oldest messages of a round took from their commit to their confirm. */
  readonly lag?: Timing;
};

const maxBackoffMs = 5_000;

export const backoffMs = (failures: number): number => Math.min(maxBackoffMs, 100 * 2 ** failures);

/** Throws unless the rows were this relay's, and all messages were confirmed. */
export function checkDone(lease: Lease, isDone: boolean, unconfirmedCount: number): void {
  if (!isDone) {
    lease.forget();
    throw new Error('another daemon has taken the outbox over');
  }
  if (unconfirmedCount > 0)
    throw createPublicError(`${unconfirmedCount} messages were not confirmed`);
}

export const loadNothing: LoadReferred = () =>
  Promise.reject(new Error('this outbox keeps no references'));
