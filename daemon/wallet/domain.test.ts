import { describe, expect, it } from 'vitest';

import { transactionIdOf, walletIdOf } from '../../core/ids.ts';
import { amountLimitMinor } from '../../core/money.ts';
import {
  clockToleranceMs,
  decide,
  newWallet,
  type Command,
  type Decision,
  type States,
  type WalletState,
} from './domain.ts';
import { decideBatch } from './domain-batch.ts';

const nowMs = Date.UTC(2026, 10, 22);
const userId = '6f1c3f3e-0000-4000-8000-000000000001';
const ref = { id: walletIdOf(userId, 'BRL'), userId, currency: 'BRL', exponent: 2 };
const nothing: States = {
  wallets: new Map(),
  entries: new Map(),
  undone: new Set(),
  refused: new Map(),
  corrupt: new Set(),
};

function command(fields: Partial<Command> & { key?: string } = {}): Command {
  const { key = 'k', ...rest } = fields;
  return {
    transactionId: transactionIdOf(ref.id, 'customer', key),
    key,
    wallet: ref,
    operation: 'deposit',
    amountMinor: 100n,
    parentId: undefined,
    merchant: undefined,
    description: undefined,
    metadata: {},
    callerClass: 'customer',
    actor: userId,
    ...rest,
  };
}

/** The states after these commands; each must have been accepted. */
function given(...commands: Command[]): States {
  return commands.reduce((states, next) => {
    const decision = decide(states, next, nowMs);
    if (decision.kind !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(decision)}`);
    const { changed } = decideBatch(states, [next], nowMs);
    return {
      wallets: new Map([...states.wallets, ...changed.map((w) => [w.id, w] as const)]),
      entries: new Map([...states.entries, [next.transactionId, decision.entries]]),
      undone: new Set([...states.undone, ...(next.parentId === undefined ? [] : [next.parentId])]),
      refused: states.refused,
      corrupt: states.corrupt,
    };
  }, nothing);
}

const deposit = (key: string, amountMinor: bigint) => command({ key, amountMinor });
const purchase = (key: string, amountMinor: bigint, merchant?: string) =>
  command({ key, operation: 'purchase', amountMinor, merchant });
const undo = (operation: 'reversal' | 'cancellation', key: string, parent: Command) =>
  command({ key, operation, amountMinor: undefined, parentId: parent.transactionId });

function expectRejection(decision: Decision, reason: string): void {
  expect(decision).toMatchObject({ kind: 'rejected', rejection: { reason } });
}

function withWallet(states: States, change: Partial<WalletState>): States {
  const wallet = states.wallets.get(ref.id) ?? newWallet(ref);
  return { ...states, wallets: new Map([[ref.id, { ...wallet, ...change }]]) };
}

describe('deposit, withdraw, purchase', () => {
  it('given nothing, when depositing, then the wallet has its first entry', () => {
    const decision = decide(nothing, deposit('a', 1234n), nowMs);
    expect(decision).toMatchObject({
      kind: 'accepted',
      entries: [
        {
          seq: 1n,
          amountMinor: 1234n,
          balanceAfterMinor: 1234n,
          contraAccount: 'external:cash',
          occurredAtMs: nowMs,
        },
      ],
    });
  });

  it('given 100, when withdrawing 100, then 0 is left', () => {
    const decision = decide(
      given(deposit('a', 100n)),
      command({ key: 'b', operation: 'withdraw' }),
      nowMs,
    );
    expect(decision).toMatchObject({
      entries: [{ amountMinor: -100n, balanceAfterMinor: 0n, seq: 2n }],
    });
  });

  it.each(['withdraw', 'purchase'] as const)(
    'given 99, when %s of 100, then refused',
    (operation) => {
      const decision = decide(given(deposit('a', 99n)), command({ key: 'b', operation }), nowMs);
      expectRejection(decision, 'INSUFFICIENT_FUNDS');
      expect(decision).toMatchObject({
        rejection: { metadata: { balance: '0.99', amount: '1.00' } },
      });
    },
  );

  it('given a wallet never opened, when withdrawing, then there are no funds', () => {
    expectRejection(
      decide(nothing, command({ operation: 'withdraw' }), nowMs),
      'INSUFFICIENT_FUNDS',
    );
  });

  it('a purchase names its merchant as contra account', () => {
    const states = given(deposit('a', 500n));
    expect(decide(states, purchase('b', 100n, 'Bookshop'), nowMs)).toMatchObject({
      entries: [{ contraAccount: 'merchant:Bookshop' }],
    });
    expect(decide(states, purchase('b', 100n), nowMs)).toMatchObject({
      entries: [{ contraAccount: 'merchant' }],
    });
  });

  it('given a balance just below the limit, when depositing past it, then refused', () => {
    const states = withWallet(nothing, { balanceMinor: amountLimitMinor - 1n, seq: 1n });
    expectRejection(decide(states, deposit('b', 1n), nowMs), 'BALANCE_LIMIT_EXCEEDED');
  });
});

describe('cancellation and reversal', () => {
  const bought = purchase('p', 300n, 'Bookshop');
  const states = given(deposit('d', 1000n), bought);

  it('a cancellation gives a purchase back whole, from the same contra account', () => {
    expect(decide(states, undo('cancellation', 'c', bought), nowMs)).toMatchObject({
      kind: 'accepted',
      entries: [
        { amountMinor: 300n, balanceAfterMinor: 1000n, contraAccount: 'merchant:Bookshop' },
      ],
    });
  });

  it('a cancellation undoes nothing but a purchase', () => {
    const decision = decide(states, undo('cancellation', 'c', deposit('d', 1000n)), nowMs);
    expectRejection(decision, 'PARENT_NOT_UNDOABLE');
  });

  it('a reversal of a deposit takes it back, and needs the funds', () => {
    const reversal = undo('reversal', 'r', deposit('d', 1000n));
    expectRejection(decide(states, reversal, nowMs), 'INSUFFICIENT_FUNDS');
    expect(decide(given(deposit('d', 1000n)), reversal, nowMs)).toMatchObject({
      entries: [{ amountMinor: -1000n, balanceAfterMinor: 0n }],
    });
  });

  it.each(['withdraw', 'purchase'] as const)('a reversal of a %s gives it back', (operation) => {
    const parent = command({ key: 'x', operation, amountMinor: 200n });
    const decision = decide(
      given(deposit('d', 1000n), parent),
      undo('reversal', 'r', parent),
      nowMs,
    );
    expect(decision).toMatchObject({ entries: [{ amountMinor: 200n, balanceAfterMinor: 1000n }] });
  });

  it('an undo cannot be undone', () => {
    const undone = undo('cancellation', 'c', bought);
    const after = given(deposit('d', 1000n), bought, undone);
    expectRejection(decide(after, undo('reversal', 'r', undone), nowMs), 'PARENT_NOT_UNDOABLE');
  });

  it.each(['reversal', 'cancellation'] as const)(
    'a purchase undone once takes no %s',
    (operation) => {
      const after = given(deposit('d', 1000n), bought, undo('reversal', 'r1', bought));
      expectRejection(decide(after, undo(operation, 'r2', bought), nowMs), 'PARENT_ALREADY_UNDONE');
    },
  );

  it('an amount given with an undo must equal the parent’s', () => {
    const wrong = { ...undo('cancellation', 'c', bought), amountMinor: 299n };
    expectRejection(decide(states, wrong, nowMs), 'AMOUNT_MISMATCH');
    expect(decide(states, { ...wrong, amountMinor: 300n }, nowMs).kind).toBe('accepted');
  });

  it('a parent on another wallet does not exist', () => {
    const other = { ...ref, id: walletIdOf(userId, 'USD'), currency: 'USD' };
    const foreign = { ...undo('cancellation', 'c', bought), wallet: other };
    expectRejection(decide(states, foreign, nowMs), 'PARENT_NOT_FOUND');
    const unknown = undo('cancellation', 'c', purchase('never', 1n));
    expectRejection(decide(states, unknown, nowMs), 'PARENT_NOT_FOUND');
  });
});

describe('idempotency', () => {
  const states = given(deposit('d', 1000n), purchase('p', 300n, 'Bookshop'));

  it('the same key with the same content replays the original', () => {
    const decision = decide(states, deposit('d', 1000n), nowMs + 5000);
    expect(decision).toMatchObject({
      kind: 'replayed',
      entries: [{ seq: 1n, occurredAtMs: nowMs }],
    });
  });

  it.each([
    ['another amount', deposit('d', 1001n)],
    ['another operation', command({ key: 'd', operation: 'withdraw', amountMinor: 1000n })],
    ['another merchant', purchase('p', 300n, 'Grocer')],
    ['no merchant', purchase('p', 300n)],
    ['a parent', undo('reversal', 'd', purchase('p', 300n))],
  ])('the same key with %s is refused', (_what, changed) => {
    expectRejection(decide(states, changed, nowMs), 'IDEMPOTENCY_KEY_REUSED');
  });

  it('a description is no content: the original is given back', () => {
    const again = { ...deposit('d', 1000n), description: 'another text' };
    expect(decide(states, again, nowMs).kind).toBe('replayed');
  });

  it('an undo replays with its amount or without', () => {
    const bought = purchase('p', 300n, 'Bookshop');
    const cancelled = given(deposit('d', 1000n), bought, undo('cancellation', 'c', bought));
    const again = undo('cancellation', 'c', bought);
    expect(decide(cancelled, again, nowMs).kind).toBe('replayed');
    expect(decide(cancelled, { ...again, amountMinor: 300n }, nowMs).kind).toBe('replayed');
    expectRejection(
      decide(cancelled, { ...again, amountMinor: 1n }, nowMs),
      'IDEMPOTENCY_KEY_REUSED',
    );
  });

  it('a replay is answered also where the wallet would refuse the command now', () => {
    const frozen = withWallet(states, { status: 'frozen', balanceMinor: 0n });
    expect(decide(frozen, purchase('p', 300n, 'Bookshop'), nowMs).kind).toBe('replayed');
  });
});

describe('frozen wallets and clocks', () => {
  const bought = purchase('p', 300n);
  const frozen = withWallet(given(deposit('d', 1000n), bought), { status: 'frozen' });

  it.each(['deposit', 'withdraw', 'purchase'] as const)(
    'a frozen wallet takes no %s',
    (operation) => {
      const asStaff = command({ key: 'x', operation, amountMinor: 1n, callerClass: 'staff' });
      expectRejection(decide(frozen, asStaff, nowMs), 'WALLET_FROZEN');
    },
  );

  it('a frozen wallet takes what staff undo, and nobody else', () => {
    const cancel = undo('cancellation', 'c', bought);
    expectRejection(decide(frozen, cancel, nowMs), 'WALLET_FROZEN');
    expectRejection(decide(frozen, { ...cancel, callerClass: 'message' }, nowMs), 'WALLET_FROZEN');
    expect(decide(frozen, { ...cancel, callerClass: 'staff' }, nowMs).kind).toBe('accepted');
  });

  it('time never goes back within a wallet', () => {
    const ahead = withWallet(given(deposit('d', 1n)), { lastAtMs: nowMs + clockToleranceMs });
    expect(decide(ahead, deposit('e', 1n), nowMs)).toMatchObject({
      entries: [{ occurredAtMs: nowMs + clockToleranceMs }],
    });
  });

  it('nothing is put before the time up to which the wallet was reported', () => {
    const reported = withWallet(given(deposit('d', 1n)), { readWatermarkMs: nowMs + 2_000 });
    expect(decide(reported, deposit('e', 1n), nowMs)).toMatchObject({
      entries: [{ occurredAtMs: nowMs + 2_000 }],
    });
    const tomorrow = nowMs + clockToleranceMs + 1;
    const ahead = withWallet(given(deposit('d', 1n)), { readWatermarkMs: tomorrow });
    expectRejection(decide(ahead, deposit('e', 1n), nowMs), 'WALLET_CLOCK_AHEAD');
  });

  it('a wallet further ahead than the tolerance is refused', () => {
    const ahead = withWallet(given(deposit('d', 1n)), { lastAtMs: nowMs + clockToleranceMs + 1 });
    expectRejection(decide(ahead, deposit('e', 1n), nowMs), 'WALLET_CLOCK_AHEAD');
  });
});
