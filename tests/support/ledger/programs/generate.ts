import fc from 'fast-check';

import { walletIdOf } from '../../../../core/ids.ts';
import { canUndo, hasParent, ofHold, type Operation } from '../../../../core/operations.ts';
import { isSpending } from '../../../../daemon/wallet/domain-limits.ts';
import type { Command, CommandMore, Terms, WalletRef } from '../../../../daemon/wallet/domain.ts';
import { buildCommand } from '../build-command.ts';

const userIds = [1, 2, 3].map((n) => `6f1c3f3e-0000-4000-8000-00000000000${n}`);

export const toWallet = (userId: string, currency: string, exponent: number): WalletRef => ({
  ...{ id: walletIdOf(userId, currency), userId, currency, exponent },
});
export const programWallets: readonly WalletRef[] = [
  ...userIds.map((userId) => toWallet(userId, 'BRL', 2)),
  ...userIds.slice(1).map((userId) => toWallet(userId, 'JPY', 0)),
];

/** Something that happens to a ledger at a time of the clock. */
export type Act = { readonly atMs: number } & (
  | { readonly kind: 'command'; readonly command: Command }
  /** An operator changes what a wallet may do. */
  | { readonly kind: 'terms'; readonly wallet: WalletRef; readonly terms: Omit<Terms, 'no'> }
  /** A report of what the wallet has at this time: no entry gets an earlier one. */
  | { readonly kind: 'read'; readonly wallet: WalletRef }
  /** The sweeper releases the holds whose time is over. */
  | { readonly kind: 'sweep' }
);

const otherWallet = (own: WalletRef, turn: number): WalletRef => {
  const others = programWallets.filter((w) => w.currency === own.currency && w.id !== own.id);
  return others[turn % others.length] ?? own;
};

const [minuteMs, hourMs] = [60_000, 3_600_000];
const forward = [0, 0, 0, 0, 0, 1, 1, minuteMs, 20 * minuteMs, hourMs, 5 * hourMs, 30 * hourMs];
/** A Sunday evening: days, weeks and months end soon. */
const startMs = Date.UTC(2026, 10, 29, 22);

const anyTerms: fc.Arbitrary<Omit<Terms, 'no'>> = fc.record({
  status: fc.constantFrom(...Array<'active'>(8).fill('active'), 'frozen', 'debits_frozen'),
  overdraftMinor: fc.constantFrom(0n, 0n, 5n),
  limits: fc.constantFrom(
    undefined,
    { perTransactionMinor: 3n, dayMinor: 6n, timezone: 'America/Sao_Paulo' },
    { weekMinor: 8n, monthMinor: 20n, timezone: 'Asia/Kolkata' },
    { rolling: [{ hours: 2, amountMinor: 5n }], timezone: 'UTC' },
  ),
});

const operationsAsked: readonly Operation[] = [
  ...(['deposit', 'deposit', 'deposit', 'withdraw', 'purchase', 'transfer', 'transfer'] as const),
  ...(['hold', 'hold', 'hold', 'hold', 'capture', 'capture', 'capture', 'release'] as const),
  ...(['cancellation', 'reversal', 'reversal', 'fee'] as const),
];

const anyStep = fc.record({
  wallet: fc.constantFrom(...programWallets),
  operation: fc.constantFrom(...operationsAsked),
  amountMinor: fc.bigInt({ min: 1n, max: 4n }),
  givesAmount: fc.boolean(),
  merchant: fc.constantFrom(undefined, 'a', 'b'),
  callerClass: fc.constantFrom('customer' as const, 'staff' as const),
  isForced: fc.boolean(),
  keepsRest: fc.boolean(),
  pays: fc.constantFrom('merchant', 'user', 'via'),
  endsInMs: fc.constantFrom(
    1,
    minuteMs,
    30 * minuteMs,
    ...[10, 100, 100, 300].map((n) => n * hourMs),
    -1,
  ),
  endsAt: fc.boolean(),
  /** Which of the commands before is meant, and whether by its own wallet, or repeated. */
  turn: fc.nat(1_000),
  named: fc.constantFrom('own', 'own', 'own', 'own', 'own', 'other', 'any'),
  repeat: fc.constantFrom('no', 'no', 'no', 'no', 'no', 'no', 'all', 'key'),
  advanceMs: fc.constantFrom(...forward),
  /** Besides the command: new terms or a report of its wallet before it, or a step of the clock. */
  beside: fc.constantFrom(
    ...Array<'no'>(25).fill('no'),
    'terms',
    'terms',
    'sweep',
    'back',
    'far back',
    'read, then back',
  ),
  terms: anyTerms,
});
type Step = typeof anyStep extends fc.Arbitrary<infer One> ? One : never;

const stepsBackMs: Readonly<Record<string, number>> = {
  ...{ back: minuteMs, 'far back': hourMs, 'read, then back': minuteMs },
};

/** Few wallets and small amounts; many replays, reused keys, and uses of holds and parts. */
const programOf = (steps: readonly Step[], isMonotonic = false): readonly Act[] => {
  let atMs = startMs;
  const commands = [...firstDeposits];
  const acts: Act[] = commands.map((command) => ({ kind: 'command', atMs, command }));
  for (const step of steps) {
    atMs += step.advanceMs;
    if (step.beside === 'read, then back') acts.push({ kind: 'read', atMs, wallet: step.wallet });
    atMs -= isMonotonic ? 0 : (stepsBackMs[step.beside] ?? 0);
    if (step.beside === 'terms') {
      acts.push({ kind: 'terms', atMs, wallet: step.wallet, terms: step.terms });
    }
    if (step.beside === 'sweep') acts.push({ kind: 'sweep', atMs });
    const before = findNamed(commands, step);
    const command =
      before && step.repeat === 'all'
        ? before
        : toCommand(step, String(commands.length), atMs, before, commands);
    commands.push(command);
    acts.push({ kind: 'command', atMs, command });
  }
  return acts;
};

const firstDeposits = programWallets.map((wallet) =>
  buildCommand(wallet.userId, { wallet, key: 'first', amountMinor: 15n }),
);

const anySteps = fc.array(anyStep, { minLength: 40, maxLength: 70, size: 'max' });
export const anyProgram = anySteps.map((steps) => programOf(steps));
/** The same by a clock that never steps back. */
export const anySteadyProgram = anySteps.map((steps) => programOf(steps, true));

/** Mostly something that the operation can refer to. */
function findNamed(commands: readonly Command[], { operation, turn, repeat }: Step) {
  const isFit = (command: Command): boolean =>
    ofHold(operation) ? command.operation === 'hold' : canUndo(operation, command.operation);
  const isAny = !hasParent(operation) || repeat !== 'no' || turn % 9 === 0;
  const named = isAny ? commands : commands.filter(isFit).slice(-8);
  return named[turn % Math.max(1, named.length)];
}

function toCommand(
  step: Step,
  newKey: string,
  atMs: number,
  before: Command | undefined,
  commands: readonly Command[],
): Command {
  const { operation, callerClass, repeat } = step;
  const size = operation === 'deposit' ? 12n : 1n;
  const isOfParent = hasParent(operation) && before !== undefined;
  const namedWallet = {
    own: before?.wallet,
    other: before && findPayee(before, commands),
    any: undefined,
  };
  const reused = before && repeat === 'key' ? before : undefined;
  const wallet = (isOfParent ? namedWallet[step.named] : reused?.wallet) ?? step.wallet;
  const isWithoutAmount = hasParent(operation) && !step.givesAmount;
  return buildCommand(wallet.userId, {
    ...{ wallet, operation },
    key: reused?.key ?? newKey,
    callerClass: reused?.callerClass ?? callerClass,
    amountMinor: isWithoutAmount ? undefined : step.amountMinor * size,
    parentId: hasParent(operation) ? (before?.transactionId ?? unknownId) : undefined,
    merchant: operation === 'purchase' || operation === 'hold' ? step.merchant : undefined,
    more: toMore(step, wallet, atMs),
  });
}

function toMore(step: Step, wallet: WalletRef, atMs: number): CommandMore | undefined {
  const { operation, callerClass } = step;
  const isForcible = operation === 'reversal' || isSpending(operation);
  const isForced = step.isForced && callerClass === 'staff' && isForcible ? { isForced: true } : {};
  const other = otherWallet(wallet, step.turn);
  if (operation === 'transfer') return { ...isForced, other };
  if (operation === 'capture') return { keepsRest: step.keepsRest };
  if (operation !== 'hold') return 'isForced' in isForced ? isForced : undefined;
  const payees = {
    merchant: {},
    user: { payeeUserId: other.userId },
    via: { via: 'bank' },
  };
  const { endsInMs } = step;
  const ends = step.endsAt ? { expiresAtMs: atMs + endsInMs } : { expiresInMs: endsInMs };
  return { ...isForced, ...payees[step.pays], ...ends };
}

/** The wallet at the other side of what a command moves. */
function findPayee(command: Command, commands: readonly Command[]): WalletRef | undefined {
  const { parentId, more, wallet, operation } = command;
  if (operation === 'capture') {
    const hold = commands.find(({ transactionId }) => transactionId === parentId);
    return hold?.operation === 'hold' ? findPayee(hold, commands) : undefined;
  }
  const payee = more?.payeeUserId;
  return payee === undefined ? more?.other : toWallet(payee, wallet.currency, wallet.exponent);
}

const unknownId = '6f1c3f3e-0000-5000-8000-000000000009';
