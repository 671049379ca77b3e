import type { EntryRow, FinalRows } from '../../../support/ledger/final-rows.ts';
import {
  applyDone,
  createState,
  decideRequest,
  uuidOf,
  walletOf,
} from '../../../support/ledger/wallet-model.ts';
import type { Accepted, Attempt, Command, History, Outcome } from '../../record/history.ts';
import { currency, toEntry, toFinalRows, toHeard } from './rows.ts';

/** What a run recorded, and what it left behind. */
export type Run = { readonly history: History; readonly rows: FinalRows };

const [firstUser, secondUser] = [1, 2].map((n) => `00000000-0000-4000-8000-00000000000${n}`);
export const userIds = [firstUser ?? '', secondUser ?? ''] as const;
export const walletIds = [
  walletOf(userIds[0], currency, 2).id,
  walletOf(userIds[1], currency, 2).id,
] as const;

/** 2026-11-28T00:00:00Z: when the clock of a run begins. */
export const beginMs = 1_795_824_000_000;

const base = { callerClass: 'customer', parentId: undefined, merchant: undefined } as const;

export function makeCommand(
  userId: string,
  key: string,
  asked: Partial<Command> & Pick<Command, 'operation' | 'amountMinor'>,
): Command {
  const { id: walletId } = walletOf(userId, currency, 2);
  const transactionId = uuidOf(walletId, `${asked.callerClass ?? base.callerClass}:${key}`);
  return { ...base, walletId, key, transactionId, ...asked };
}

export const makeAttempt = (
  command: Command,
  [startMs, endMs]: readonly [number, number | undefined],
  outcome: Outcome | undefined,
  over: Attempt['over'] = 'grpc',
): Attempt => ({ command, client: 'one', over, daemon: 'first', startMs, endMs, outcome });

export const emptyHistory: History = {
  ...{ attempts: [], balances: [], statements: [], heard: [], rejections: [], faults: [] },
  ...{ progress: [], alerts: [], watched: [], endMs: 100_000 },
};

/** The answer that says what an entry has. */
export function toAnswer(entry: EntryRow, isReplayed: boolean): Accepted {
  return {
    ...{ kind: 'accepted', transactionId: entry.id, seq: BigInt(entry.seq) },
    amountMinor: BigInt(entry.amount.replace('-', '')),
    balanceAfterMinor: BigInt(entry.balance_after),
    ...{ occurredAtMs: Number(entry.at_ms), hash: entry.hash, isReplayed },
  };
}

const [first, second] = userIds;
const deposit = makeCommand(first, 'deposit', { operation: 'deposit', amountMinor: 1_000n });
const withdraw = makeCommand(first, 'withdraw', { operation: 'withdraw', amountMinor: 300n });
const purchase = makeCommand(first, 'purchase', {
  ...{ operation: 'purchase', amountMinor: 200n, merchant: 'Bakery' },
});
const tooMuch = makeCommand(first, 'too much', { operation: 'withdraw', amountMinor: 600n });
const undo = makeCommand(first, 'undo', {
  ...{ operation: 'reversal', amountMinor: undefined, parentId: purchase.transactionId },
  callerClass: 'message',
});
const refused = makeCommand(first, 'refused', {
  ...{ operation: 'withdraw', amountMinor: 900n, callerClass: 'message' },
});
const other = makeCommand(second, 'other', { operation: 'deposit', amountMinor: 50n });

/** What the run asks for; a name is easier to read than a place in a list. */
export const commands = { deposit, withdraw, purchase, tooMuch, undo, refused, other };

const accepted: readonly (readonly [userId: string, command: Command, atMs: number])[] = [
  [first, deposit, 5],
  [first, withdraw, 25],
  [first, purchase, 65],
  [first, undo, 110],
  [second, other, 200],
];

/** The rows that these leave, in this order. */
function makeRows(
  of: readonly (readonly [userId: string, command: Command, atMs: number])[],
): FinalRows {
  const states = new Map(userIds.map((userId) => [userId, createState()]));
  const entries = of.map(([userId, command, atMs]) => {
    const state = states.get(userId) ?? createState();
    const verdict = decideRequest(state, { ...command, id: command.transactionId });
    if (verdict.kind !== 'accepted') throw new Error(`${command.key} is ${verdict.kind}`);
    applyDone(state, verdict.done);
    return toEntry(userId, verdict.done, command === undo ? 2 : 1, beginMs + atMs);
  });
  const refusal = { transaction_id: refused.transactionId, wallet_id: refused.walletId };
  return toFinalRows(entries, [
    { ...refusal, message_id: refused.key, reason: 'INSUFFICIENT_FUNDS', metadata: {} },
  ]);
}

/**
 * A run in which all is right: on the first wallet a deposit, a withdrawal whose answer was lost, a
 * purchase, a refusal, an undo by message and a refused message; on the second one a deposit.
 */
export function makeGoodRun(): Run {
  const rows = makeRows(accepted);
  const entryOf = ({ transactionId }: Command): EntryRow => {
    const entry = rows.entries.find(({ id }) => id === transactionId);
    if (!entry) throw new Error(`no entry ${transactionId}`);
    return entry;
  };
  const answer = (command: Command, isReplayed = false): Accepted =>
    toAnswer(entryOf(command), isReplayed);
  const lines = rows.lines.filter((line) => line.wallet_id === walletIds[0]);
  const reader = {
    client: 'reader',
    over: 'grpc',
    daemon: 'second',
    walletId: walletIds[0],
  } as const;
  const history: History = {
    ...emptyHistory,
    attempts: [
      makeAttempt(deposit, [0, 10], answer(deposit)),
      makeAttempt(withdraw, [20, 30], { kind: 'unknown', reason: 'code 4' }, 'stream'),
      makeAttempt(withdraw, [40, 50], answer(withdraw, true), 'stream'),
      makeAttempt(purchase, [60, 70], answer(purchase), 'http'),
      makeAttempt(tooMuch, [75, 78], { kind: 'refused', reason: 'WALLET_BUSY' }),
      makeAttempt(...([tooMuch, [80, 90]] as const), {
        kind: 'refused',
        reason: 'INSUFFICIENT_FUNDS',
        balanceMinor: 500n,
      }),
      makeAttempt(undo, [100, undefined], undefined, 'message'),
      makeAttempt(undo, [130, undefined], undefined, 'message'),
      makeAttempt(refused, [140, undefined], undefined, 'message'),
      makeAttempt(other, [0, 300], answer(other), 'cli'),
    ],
    balances: [
      {
        ...{ ...reader, isNow: true, startMs: 125, endMs: 130 },
        answer: { kind: 'balance', balanceMinor: 700n, seq: 4n, asOfMs: beginMs + 127 },
      },
      {
        ...{ ...reader, isNow: false, startMs: 150, endMs: 160 },
        answer: { kind: 'balance', balanceMinor: 500n, seq: 3n, asOfMs: beginMs + 65 },
      },
    ],
    statements: [
      {
        ...{ ...reader, fromMs: beginMs + 5, toMs: beginMs + 110, startMs: 170, endMs: 180 },
        answer: {
          ...{ kind: 'statement', openingMinor: 0n, closingMinor: 500n },
          ...{ totalDebitMinor: 500n, totalCreditMinor: 1_000n },
          lines: lines.slice(0, 3).map((line) => ({
            ...{ seq: BigInt(line.seq), transactionId: line.id, hash: line.hash },
            balanceAfterMinor: BigInt(line.balance_after),
          })),
        },
      },
    ],
    heard: toHeard(rows, ({ at_ms: atMs }) => Number(atMs) - beginMs + 10),
    rejections: [
      {
        ...{ atMs: 150, key: refused.key, transactionId: refused.transactionId },
        ...{ reason: 'INSUFFICIENT_FUNDS', balanceMinor: 700n },
      },
    ],
  };
  return { history, rows };
}
