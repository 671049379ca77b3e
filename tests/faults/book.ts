import { randomUUID } from 'node:crypto';

import { transactionIdOf, walletIdOf, type CallerClass } from '../../core/ids.ts';
import { Operation, type Transaction } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { OperationName } from '../support/ledger/wallet-model.ts';
import type { Interface } from './record/history.ts';
import type { Report } from './report.ts';
import type { Timeline } from './timeline.ts';

export const currency = 'BRL';

export type Asked = {
  readonly via: Interface;
  readonly callerClass: CallerClass;
  readonly userId: string;
  readonly operation: Operation;
  readonly amountMinor: bigint;
  readonly parentId?: string;
  /** The owner of the wallet at the other side; of a hold, of the one that a capture pays. */
  readonly otherUserId?: string;
  /** Of a deposit or withdrawal: the account outside, if it is not `cash`. */
  readonly account?: string;
  /** Of a hold: how long it lasts. */
  readonly lifeSeconds?: number;
  /** Of a capture: what is left of the hold stays reserved. */
  readonly keepsRest?: boolean;
  readonly groupId?: string;
};

/** A transaction that may be undone, as the wallet of one of its users has it. */
type Parent = Pick<Op, 'id' | 'amountMinor' | 'operation' | 'otherUserId'>;

/** What each interface says about a transaction. */
type Answered = Pick<Transaction, 'id' | 'amountMinor' | 'seq'>;

type Outcome =
  | { readonly isDone: true; readonly seq: bigint | undefined }
  | { readonly isDone: false; readonly reason: string };

/** One transaction that was asked for, and all that was answered to it. */
export type Op = Asked & {
  readonly key: string;
  readonly walletId: string;
  /** The id that the ledger must give it. */
  readonly id: string;
  readonly startedMs: number;
  /** When it was answered last. */
  endedMs: number;
  readonly attempts: string[];
  readonly daemons: Set<string>;
  outcome: Outcome | undefined;
};

/** Everything that was asked of the ledger in a run. */
export type Book = {
  ask(asked: Asked): Op;
  /** Records one attempt and its answer, for the report of a violation. */
  note(op: Op, daemon: string, fromMs: number, answer: string): void;
  /** An answer that ends the doubt; one that contradicts an earlier one is a violation. */
  settle(op: Op, outcome: Outcome): void;
  /** The same from an answer with a transaction, which must be what was asked for. */
  settleDone(op: Op, transaction: Answered | undefined): void;
  findById(id: string): Op | undefined;
  /** By the key of a message. */
  findMessage(key: string): Op | undefined;
  /** A transaction that is done and may be undone. */
  pickParent(userId: string, at: number): Parent | undefined;
  /** A hold that was placed; it may be used up by now, or have expired. One of the last ones. */
  pickHold(userId: string, at: number): Parent | undefined;
  readonly all: ReadonlyMap<string, Op>;
  describe(op: Op): string;
};

/** The ledger's own refusals: they are final. */
const final: ReadonlySet<string> = new Set([
  'INSUFFICIENT_FUNDS',
  'PARENT_ALREADY_UNDONE',
  'PARENT_NOT_UNDOABLE',
  'UNDO_EXCEEDS_PARENT',
  'HOLD_CLOSED',
  'HOLD_EXPIRED',
  'CAPTURE_EXCEEDS_HOLD',
  'LIMIT_EXCEEDED',
  'GROUP_ABORTED',
]);
/** Nothing is known, or nothing was done: ask again under the same key. */
const passing: ReadonlySet<string> = new Set([
  'WALLET_BUSY',
  'DATABASE_UNAVAILABLE',
  'DATABASE_BUSY',
  'AUTH_UNAVAILABLE',
  'OVERLOADED',
  'THROTTLED',
  'OUTBOX_FULL',
  'OUTCOME_UNKNOWN',
  'SHUTTING_DOWN',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
  'STREAM_IDLE',
  // The command line's own.
  'UNREACHABLE',
]);

export type Meaning = 'final' | 'passing' | 'internal' | 'unexpected';

/** What a refusal means to a client. A bare code is the client library's: the connection failed. */
export function meaningOf(reason: string): Meaning {
  if (reason === 'INTERNAL') return 'internal';
  if (final.has(reason)) return 'final';
  return passing.has(reason) || reason.startsWith('code ') ? 'passing' : 'unexpected';
}

/** The name of an operation in messages. */
export function nameOf(operation: Operation): OperationName {
  const found = names.find((name) => Operation[upperCase(name)] === operation);
  if (!found) throw new Error(`there is no operation ${operation}`);
  return found;
}

const names = [
  ...(['deposit', 'withdraw', 'purchase', 'reversal', 'cancellation', 'transfer'] as const),
  ...(['hold', 'capture', 'release', 'fee'] as const),
];
const upperCase = <Name extends OperationName>(name: Name): Uppercase<Name> =>
  name.toUpperCase() as Uppercase<Name>;

const recentHolds = 6;

const textOf = (outcome: Outcome): string =>
  outcome.isDone ? `done as ${outcome.seq}` : outcome.reason;

export function createBook(report: Report, timeline: Timeline): Book {
  const all = new Map<string, Op>();
  const messages = new Map<string, Op>();
  const undoable = new Map<string, Parent[]>();
  const holds = new Map<string, Parent[]>();
  const add = (lists: Map<string, Parent[]>, userId: string, parent: Parent): void => {
    const list = lists.get(userId) ?? [];
    lists.set(userId, list);
    list.push(parent);
  };
  const describe = (op: Op): string =>
    `${op.via} ${nameOf(op.operation)} of ${op.amountMinor} on ${op.walletId}, ` +
    (op.otherUserId === undefined ? '' : `other user ${op.otherUserId}, `) +
    `key ${op.key}, id ${op.id}${op.parentId === undefined ? '' : `, parent ${op.parentId}`}, ` +
    `at ${timeline.secondsOf(op.startedMs)} s; ${op.attempts.join(' | ')}; ` +
    `faults then: ${timeline.describe(op.startedMs, op.endedMs)}`;
  const settle = (op: Op, outcome: Outcome): void => {
    const before = op.outcome;
    const isSame =
      before === undefined ||
      (before.isDone && outcome.isDone
        ? (before.seq ?? outcome.seq) === (outcome.seq ?? before.seq)
        : before.isDone === outcome.isDone);
    if (!isSame) {
      const what = `first ${textOf(before)}, then ${textOf(outcome)}`;
      report.violate('answers', what, describe(op));
    }
    op.outcome = before ?? outcome;
    if (before || !outcome.isDone || op.parentId !== undefined) return;
    const { id, amountMinor, operation, userId, otherUserId } = op;
    const isHold = op.operation === Operation.HOLD;
    add(isHold ? holds : undoable, userId, op);
    if (otherUserId === undefined || isHold) return;
    add(undoable, otherUserId, { id, amountMinor, operation, otherUserId: userId });
  };
  return {
    ask: (asked) => {
      const key = randomUUID();
      const walletId = walletIdOf(asked.userId, currency);
      const id = transactionIdOf(walletId, asked.callerClass, key);
      const startedMs = performance.now();
      const lists = { attempts: [], daemons: new Set<string>() };
      const times = { startedMs, endedMs: startedMs };
      const op: Op = { ...asked, ...lists, key, walletId, id, ...times, outcome: undefined };
      all.set(id, op);
      if (op.via === 'message') messages.set(key, op);
      return op;
    },
    note: (op, daemon, fromMs, answer) => {
      op.endedMs = performance.now();
      const times = [fromMs, op.endedMs].map((ms) => timeline.secondsOf(ms));
      op.attempts.push(`${daemon} ${times.join(' to ')} s: ${answer}`);
    },
    settle,
    settleDone: (op, transaction) => {
      const isRight = transaction?.id === op.id && transaction.amountMinor === op.amountMinor;
      if (!isRight) report.violate('answers', 'another transaction was answered', describe(op));
      settle(op, { isDone: true, seq: transaction?.seq });
    },
    findById: (id) => all.get(id),
    findMessage: (key) => messages.get(key),
    pickParent: (userId, at) => {
      const list = undoable.get(userId) ?? [];
      return list[list.length === 0 ? 0 : at % list.length];
    },
    pickHold: (userId, at) => {
      const list = (holds.get(userId) ?? []).slice(-recentHolds);
      return list[list.length === 0 ? 0 : at % list.length];
    },
    all,
    describe,
  };
}
