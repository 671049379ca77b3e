import type { EntryRow, FinalRows, RefusalRow } from '../../../support/ledger/final-rows.ts';
import {
  accountOf,
  applyDone,
  createState,
  decideRequest,
  decideSide,
  isUndo,
  sizeOf,
  walletOf,
  type Done,
  type OperationName,
  type State,
  type Verdict,
} from '../../../support/ledger/wallet-model.ts';
import { createRandom, type Random } from '../../../fuzz/random.ts';
import type {
  Attempt,
  BalanceRead,
  Command,
  Interface,
  Outcome,
  StatementRead,
} from '../../record/history.ts';
import { beginMs, emptyHistory, makeAttempt, makeCommand, toAnswer, type Run } from './good-run.ts';
import { currency, toEntry, toFinalRows, toHeard } from './rows.ts';

const placeOf = (walletId: string, id: string): string => `${walletId} ${id}`;

/** One attempt whose outcome is looked up once the rows are there. */
type Draft = {
  readonly command: Command;
  readonly interval: readonly [number, number | undefined];
  readonly over: Interface;
  readonly outcome: Outcome | 'done' | 'done before' | undefined;
};

const operations: readonly OperationName[] = [
  ...(['deposit', 'deposit', 'withdraw', 'purchase', 'reversal', 'cancellation'] as const),
  ...(['transfer', 'reversal'] as const),
];
const interfaces: readonly Interface[] = ['grpc', 'stream', 'http', 'message'];
const transient = ['WALLET_BUSY', 'DATABASE_UNAVAILABLE', 'OVERLOADED'] as const;

/**
 * A run without any defect: concurrent requests that take effect at moments of one clock each, some
 * of which lose their answers, are refused for a while, or come several times; and reads of now and
 * of the past. The same seed makes the same run.
 */
export function simulate(seed: string, count: number, userIds: readonly string[]): Run {
  const drafts: Draft[] = [];
  const entries: EntryRow[] = [];
  const refusals: RefusalRow[] = [];
  const states = new Map<string, State>(userIds.map((userId) => [userId, createState()]));
  const balances: BalanceRead[] = [];
  const rejectedAtMs = new Map<string, number>();
  for (let step = 0; step < count; step += 1) {
    const random = createRandom(seed, 'step', step);
    const userId = random.pick(userIds);
    const state = states.get(userId) ?? createState();
    const atMs = 1_000 + step * 10;
    const over = random.pick(interfaces);
    const others = userIds.filter((id) => id !== userId);
    const command = chooseCommand(random, { userId, others }, state, `${seed} ${step}`, over);
    const { verdict, side, blamed = state } = decideBoth(states, state, command);
    if (verdict.kind === 'accepted') {
      const source = over === 'message' ? 2 : 1;
      applyDone(state, verdict.done);
      entries.push(toEntry(userId, verdict.done, source, beginMs + atMs));
      if (side) {
        applyDone(side.state, side.done);
        entries.push(toEntry(side.userId, side.done, source, beginMs + atMs));
      }
      drafts.push(...draftAccepted(random, command, over, atMs));
    } else if (verdict.kind === 'rejected') {
      const { reason } = verdict;
      const walletId = blamed === state ? undefined : command.pair?.otherWalletId;
      const named = { reason, walletId, balanceMinor: blamed.balanceMinor };
      drafts.push(...draftRefused(random, command, over, atMs, named));
      if (over === 'message') {
        rejectedAtMs.set(command.transactionId, atMs + random.int(80));
        refusals.push({
          ...{ transaction_id: command.transactionId, wallet_id: command.walletId, reason },
          ...{ message_id: command.key, metadata: {} },
        });
      }
    }
    if (random.chance(30)) balances.push(readNow(random, command.walletId, state, atMs + 5));
  }
  const rows = toFinalRows(entries, refusals);
  const byPlace = new Map(rows.entries.map((entry) => [placeOf(entry.wallet_id, entry.id), entry]));
  const attempts = drafts.map((draft) => toAttempt(draft, byPlace));
  const history: Run['history'] = {
    ...emptyHistory,
    ...{ attempts, endMs: 2_000 + count * 10 },
    heard: toHeard(rows, ({ id, at_ms: atMs }) => {
      const random = createRandom(seed, `heard ${id}`, 0);
      return Number(atMs) - beginMs + random.int(200);
    }),
    rejections: refusals.map(({ transaction_id: transactionId, message_id: key, reason }) => ({
      ...{ transactionId, key, reason, atMs: rejectedAtMs.get(transactionId) ?? 0 },
    })),
    balances: [...balances, ...readPasts(seed, count, rows)],
    statements: readStatements(seed, count, rows),
  };
  return { history, rows };
}

/** What two wallets make of it: `side` is the other one, `blamed` the one that refuses. */
function decideBoth(
  states: ReadonlyMap<string, State>,
  own: State,
  command: Command,
): {
  readonly verdict: Verdict;
  readonly side?: { readonly userId: string; readonly state: State; readonly done: Done };
  readonly blamed?: State;
} {
  const { pair, transactionId: id } = command;
  const verdict = decideRequest(own, { ...command, id, payeeId: pair?.otherUserId });
  const state = states.get(pair?.otherUserId ?? '');
  if (verdict.kind !== 'accepted' || !pair || !state) return { verdict };
  const { done } = verdict;
  const contraAccount = accountOf(pair.userId);
  const other: Done = { ...done, amountMinor: -done.amountMinor, contraAccount, heldMinor: 0n };
  const answer = decideSide(state, other);
  if (answer.kind !== 'accepted') return { verdict: answer, blamed: state };
  return { verdict, side: { userId: pair.otherUserId, state, done: other } };
}

type Users = { readonly userId: string; readonly others: readonly string[] };

/** With whose wallet it is; an undo with that of its parent. */
function choosePair(
  random: Random,
  { userId, others }: Users,
  operation: OperationName,
  parent: Done | undefined,
): Command['pair'] {
  const ofParent = /^user:(.*)$/.exec(parent?.contraAccount ?? '')?.[1];
  const otherUserId = operation === 'transfer' ? random.pick(others) : ofParent;
  if (otherUserId === undefined) return undefined;
  return { userId, otherUserId, otherWalletId: walletOf(otherUserId, currency, 2).id };
}

function chooseCommand(
  random: Random,
  users: Users,
  state: State,
  key: string,
  over: Interface,
): Command {
  const { userId } = users;
  const wanted = random.pick(operations);
  const operation = wanted === 'transfer' && users.others.length === 0 ? 'deposit' : wanted;
  const callerClass = over === 'message' ? 'message' : random.pick(['customer', 'staff'] as const);
  const isOfParent = isUndo(operation);
  // The rejection of a message does not say which of two wallets it is about.
  const isFit = ({ contraAccount }: Done): boolean =>
    over !== 'message' || !contraAccount.startsWith('user:');
  const parents = [...state.done.values()].filter(isFit).map(({ id }) => id);
  const parentId = parents.length > 0 ? random.pick(parents) : 'none';
  const parent = isOfParent ? state.done.get(parentId) : undefined;
  const most = parent && random.chance(60) ? Number(sizeOf(parent.amountMinor)) : 500;
  // One wallet's refusal of an undo of all that is left cannot name how much that is.
  const isWhole = isOfParent && !parent?.contraAccount.startsWith('user:') && random.chance(40);
  return makeCommand(userId, key, {
    ...{ operation, callerClass, pair: choosePair(random, users, operation, parent) },
    amountMinor: isWhole ? undefined : BigInt(1 + random.int(most)),
    ...(isOfParent ? { parentId } : {}),
    ...(operation === 'purchase' && random.chance(50) ? { merchant: 'Bakery' } : {}),
  });
}

/** Attempts of which exactly one takes effect at this moment. */
function draftAccepted(random: Random, command: Command, over: Interface, atMs: number): Draft[] {
  const own = [atMs - random.int(40), atMs + random.int(80)] as const;
  const [startMs, endMs] = own;
  if (over === 'message') {
    const copies = random.chance(20) ? [startMs + random.int(60)] : [];
    return [startMs, ...copies].map((ms) => ({
      ...{ command, over, interval: [ms, undefined] as const, outcome: undefined },
    }));
  }
  const lost: Outcome = { kind: 'unknown', reason: random.pick(['code 14', 'OUTCOME_UNKNOWN']) };
  const busy: Outcome = { kind: 'refused', reason: random.pick(transient) };
  const before = [startMs - 60, startMs - 1 - random.int(50)] as const;
  const after = [endMs + 1 + random.int(50), endMs + 60] as const;
  const isLost = random.chance(20);
  return [
    // Given up before it took effect, and never did.
    ...(random.chance(10) ? [{ command, over, interval: before, outcome: lost }] : []),
    ...(random.chance(10) ? [{ command, over, interval: before, outcome: busy }] : []),
    { command, over, interval: own, outcome: isLost ? lost : 'done' },
    ...(isLost || random.chance(10)
      ? [{ command, over, interval: after, outcome: 'done before' } as const]
      : []),
  ];
}

/** What a refusal says: the reason, and whose balance is too low. */
type Named = {
  readonly reason: string;
  readonly walletId: string | undefined;
  readonly balanceMinor: bigint;
};

function draftRefused(
  random: Random,
  command: Command,
  over: Interface,
  atMs: number,
  { reason, walletId, balanceMinor }: Named,
): Draft[] {
  const [startMs, endMs] = [atMs - random.int(40), atMs + random.int(80)];
  if (over === 'message') {
    return [{ command, over, interval: [startMs, undefined], outcome: undefined }];
  }
  const says = reason === 'INSUFFICIENT_FUNDS' && random.chance(70);
  const outcome: Outcome = {
    ...{ kind: 'refused', reason, walletId, balanceMinor: says ? balanceMinor : undefined },
  };
  return [{ command, over, interval: [startMs, endMs], outcome }];
}

function toAttempt(
  { command, interval, over, outcome }: Draft,
  byPlace: ReadonlyMap<string, EntryRow>,
): Attempt {
  if (typeof outcome !== 'string') return makeAttempt(command, interval, outcome, over);
  const entry = byPlace.get(placeOf(command.walletId, command.transactionId));
  const answer = entry && toAnswer(entry, outcome === 'done before');
  return makeAttempt(command, interval, answer, over);
}

const reader = { client: 'reader', over: 'grpc', daemon: 'second' } as const;

function readNow(random: Random, walletId: string, state: State, atMs: number): BalanceRead {
  const interval = { startMs: atMs - random.int(30), endMs: atMs + random.int(60) };
  const { balanceMinor } = state;
  const now = { seq: BigInt(state.seq), asOfMs: beginMs + atMs };
  return {
    ...{ ...reader, walletId, isNow: true, ...interval },
    answer: { kind: 'balance', balanceMinor, ...now },
  };
}

/** The entries of a random wallet, and a random time of the run. */
function choosePast(random: Random, count: number, { wallets, entries }: FinalRows) {
  const walletId = wallets.length > 0 ? random.pick(wallets).id : '';
  const atMs = 1_000 + random.int(count * 10);
  const startMs = atMs + 1 + random.int(500);
  const of = entries.filter((entry) => entry.wallet_id === walletId);
  return { walletId, of, atMs: beginMs + atMs, startMs };
}

const readPasts = (seed: string, count: number, rows: FinalRows): BalanceRead[] =>
  Array.from({ length: Math.ceil(count / 20) }, (_, i) => {
    const random = createRandom(seed, 'past', i);
    const { walletId, of, atMs: asOfMs, startMs } = choosePast(random, count, rows);
    const last = of.filter(({ at_ms: atMs }) => Number(atMs) <= asOfMs).at(-1);
    const balanceMinor = BigInt(last?.balance_after ?? 0);
    const seq = BigInt(last?.seq ?? 0);
    return {
      ...{ ...reader, walletId, isNow: false, startMs, endMs: startMs + 5 },
      answer: { kind: 'balance', balanceMinor, seq, asOfMs },
    };
  });

const readStatements = (seed: string, count: number, rows: FinalRows): StatementRead[] =>
  Array.from({ length: Math.ceil(count / 20) }, (_, i) => {
    const random = createRandom(seed, 'statement', i);
    const { walletId, of, atMs: toMs, startMs } = choosePast(random, count, rows);
    const fromMs = toMs - random.int(500);
    const opening = of.filter(({ at_ms: atMs }) => Number(atMs) < fromMs).at(-1);
    const inside = of.filter(({ at_ms: ms }) => Number(ms) >= fromMs && Number(ms) < toMs);
    const amounts = inside.map(({ amount }) => BigInt(amount));
    const sumOf = (list: readonly bigint[]): bigint => list.reduce((sum, one) => sum + one, 0n);
    const openingMinor = BigInt(opening?.balance_after ?? 0);
    return {
      ...{ ...reader, walletId, fromMs, toMs, startMs, endMs: startMs + 5 },
      answer: {
        ...{ kind: 'statement', openingMinor, closingMinor: openingMinor + sumOf(amounts) },
        totalDebitMinor: -sumOf(amounts.filter((minor) => minor < 0n)),
        totalCreditMinor: sumOf(amounts.filter((minor) => minor > 0n)),
        lines: inside.map(({ seq, id, balance_after: balance, hash }) => ({
          ...{ seq: BigInt(seq), transactionId: id, balanceAfterMinor: BigInt(balance), hash },
        })),
      },
    };
  });
