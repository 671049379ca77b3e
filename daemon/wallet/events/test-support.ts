import { randomUUID } from 'node:crypto';

import { operations, type Operation } from '../../../core/operations.ts';
import {
  refuse,
  succeed,
  type Reason,
  type Rejection,
  type Result,
} from '../../../core/reasons.ts';
import type { InboundMessage } from '../../platform/broker/broker.ts';
import type { Db } from '../../platform/db/db.ts';
import { createLog } from '../../platform/log.ts';
import { findTransientRejection } from '../../platform/transient-rejection.ts';
import type { Busy } from '../commit/commit-items.ts';
import { createGroupCommit } from '../commit/group-commit.ts';
import type { Entry } from '../domain.ts';
import type { AuditedCommand, AuditedDecision } from '../requests/audited-command.ts';
import { createKnownUsers } from '../requests/users.ts';
import { createEmittedConsumer } from './emitted-consumer.ts';

export const [ana, bia, unknown] = [randomUUID(), randomUUID(), randomUUID()];
const log = createLog('silent');
export const decision: AuditedDecision = { entry: { seq: 1n } as Entry, isReplayed: false };
export const refusalOf = (reason: Reason) => refuse(reason, `because ${reason}`);

export type Commit = (
  commands: readonly AuditedCommand[],
) => readonly (Result<AuditedDecision> | Busy)[];

const doAll: Commit = (commands) => commands.map(() => succeed(decision));

/** The consumer before a commit that is a function, and all commands that reached it. */
export function create(
  options: {
    readonly commit?: Commit;
    readonly allowed?: readonly Operation[];
    readonly isOutboxFull?: boolean;
    readonly isAuthAway?: boolean;
    /** The currency of a parent that is in the ledger. */
    readonly parentCurrency?: string;
  } = {},
) {
  const committed: AuditedCommand[] = [];
  const { commit = doAll, allowed = operations } = options;
  const { parentCurrency } = options;
  const read = () =>
    parentCurrency === undefined
      ? Promise.reject(new Error('the database is not needed'))
      : Promise.resolve({
          get: () => ({ currency: parentCurrency, contraAccount: 'external:cash' }),
        });
  const emitted: Parameters<typeof createEmittedConsumer>[0] = {
    db: { read } as unknown as Db,
    groupCommit: createGroupCommit<AuditedCommand, AuditedDecision>({
      keysOf: (command) => [command.wallet.id],
      maxCommits: 2,
      log,
      explain: (err) => refuse('INTERNAL', (err as Error).message).rejection,
      commit: (commands) => {
        const answers = commit(commands);
        committed.push(...commands.filter((_command, i) => typeof answers[i] !== 'string'));
        return Promise.resolve(answers);
      },
    }),
    users: createKnownUsers((ids) =>
      options.isAuthAway
        ? Promise.reject(new Error('auth is unavailable'))
        : Promise.resolve(new Set(ids.filter((id) => id !== unknown))),
    ),
    defaultCurrency: 'BRL',
    queue: 'wallet_queue',
    allowedOperations: new Set(allowed),
    isOutboxFull: () => options.isOutboxFull === true,
  };
  const consumer = createEmittedConsumer(emitted);
  const handle = async (...messages: readonly InboundMessage[]): Promise<string[]> =>
    (await consumer.handle(messages)).map(({ kind }) => kind);
  return { consumer, committed, emitted, handle };
}

export const messageOf = (userId: string, transaction: object = {}): InboundMessage => {
  const sent = { operation: 'deposit', amount: '1.00', ...transaction };
  const body = { pattern: 'transaction_emitted', data: { userId, transaction: sent } };
  const text = JSON.stringify(body);
  return { messageId: randomUUID(), body, text, userId: undefined, headers: {} };
};

export const transientOf = async (handled: Promise<unknown>): Promise<Rejection | undefined> =>
  handled.then(
    () => undefined,
    (err: unknown) => findTransientRejection(err),
  );
