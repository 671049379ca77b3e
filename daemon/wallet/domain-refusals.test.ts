import { describe, expect, it } from 'vitest';

import { genesisHash } from '../../core/chain.ts';
import { refuse, type Reason } from '../../core/reasons.ts';
import { buildCommand, walletRefOf } from '../../tests/support/ledger/build-command.ts';
import { specify } from '../../tests/support/ledger/decider-spec.ts';
import {
  createWalletDecider,
  noStates,
  termsOf,
  withWallet,
} from '../../tests/support/ledger/wallet-decider.ts';
import { decideBatch, isRemembered } from './domain-batch.ts';
import { agreesWith, corruptWallet, walletBusy } from './domain-integrity.ts';
import {
  clockToleranceMs,
  decide,
  newWallet,
  plainTerms,
  walletsOf,
  usedKey,
  walletsToOpen,
  type Command,
  type States,
} from './domain.ts';

const nowMs = Date.UTC(2026, 10, 22);
const userId = '6f1c3f3e-0000-4000-8000-000000000001';
const ref = walletRefOf(userId);
const { given } = specify(createWalletDecider(nowMs));
const command = (fields: Partial<Command> = {}): Command =>
  buildCommand(userId, { key: 'k', ...fields });
const outboxFull = refuse('OUTBOX_FULL', 'later').rejection;
const rich = withWallet(noStates, ref, { balanceMinor: 1_000n, seq: 1n });

/** The metadata of the refusal that a command gets. */
function metadataOf(states: States, refused: Command): Readonly<Record<string, string>> {
  const decision = decide(states, refused, nowMs);
  if (decision.kind !== 'rejected') throw new Error(`it was ${decision.kind}`);
  expect(decision.isRepeated).toBe(false);
  return decision.rejection.metadata;
}

describe('messages that were refused before', () => {
  const funds = refuse('INSUFFICIENT_FUNDS', 'the balance was 0').rejection;
  const again = command({ callerClass: 'message' });
  const refused = { ...rich, refused: new Map([[again.transactionId, funds]]) };

  it('a message gets the refusal again that it got before, whatever the wallet has by now', () => {
    given(refused).when(again).then('INSUFFICIENT_FUNDS', { rejection: funds, isRepeated: true });
  });

  it('another message is decided on the wallet', () => {
    given(refused)
      .when(command({ key: 'other', callerClass: 'message' }))
      .then('accepted');
  });

  it('what was done stays done, even if a refusal is kept as well', () => {
    const done = given(rich, again).state;
    given({ ...done, refused: refused.refused })
      .when(again)
      .then('replayed');
  });

  it('the second message of a batch gets the refusal of the first again', () => {
    const withdraw = command({
      operation: 'withdraw',
      callerClass: 'message',
      amountMinor: 9_999n,
    });
    const { decisions, changed } = decideBatch(rich, [withdraw, withdraw], nowMs);
    expect(decisions).toMatchObject([
      { kind: 'rejected', isRepeated: false },
      { kind: 'rejected', isRepeated: true },
    ]);
    expect(changed).toEqual([]);
  });

  it('a call that is refused in a batch is decided anew each time', () => {
    const withdraw = command({ operation: 'withdraw', amountMinor: 1_100n });
    const deposit = command({ key: 'd', amountMinor: 100n });
    const { decisions } = decideBatch(rich, [withdraw, deposit, withdraw], nowMs);
    expect(decisions.map(({ kind }) => kind)).toEqual(['rejected', 'accepted', 'accepted']);
  });

  it.each<[Reason, boolean]>([
    ['INSUFFICIENT_FUNDS', true],
    ['WALLET_FROZEN', true],
    ['WALLET_CLOCK_AHEAD', false],
    ['WALLET_CORRUPT', false],
    ['OUTBOX_FULL', false],
  ])('the refusal of a message with %s is kept: %s; that of a call is not', (reason, isKept) => {
    const { rejection } = refuse(reason, 'no');
    expect(isRemembered(again, rejection)).toBe(isKept);
    expect(isRemembered(command(), rejection)).toBe(false);
    expect(isRemembered(command({ callerClass: 'staff' }), rejection)).toBe(false);
  });
});

describe('while nothing new may be done', () => {
  it('a new command is refused with that reason, and one that was done is replayed', () => {
    const done = given(rich, command());
    done.when(command({ refusedIfNew: outboxFull })).then('replayed');
    const fresh = command({ key: 'new', refusedIfNew: outboxFull });
    done.when(fresh).then('OUTBOX_FULL', { rejection: outboxFull, isRepeated: false });
  });
});

describe('the opening of a wallet', () => {
  it('only a deposit that may be done opens a wallet', () => {
    expect(walletsToOpen(command())).toEqual([ref]);
    expect(walletsToOpen(command({ operation: 'withdraw' }))).toEqual([]);
    expect(walletsToOpen(command({ refusedIfNew: outboxFull }))).toEqual([]);
    expect(walletsToOpen(command({ wallet: walletRefOf(userId, 'HRK') }))).toEqual([]);
  });

  it('no wallet is opened in a withdrawn currency, and one that is open goes on', () => {
    const kuna = walletRefOf(userId, 'HRK');
    given(noStates)
      .when(command({ wallet: kuna }))
      .then('CURRENCY_UNKNOWN', { rejection: { metadata: { field: 'currency' } } });
    given(withWallet(noStates, kuna, { balanceMinor: 5n, seq: 1n }))
      .when(command({ wallet: kuna }))
      .then('accepted');
  });

  it('a command concerns its own wallet, which starts from nothing', () => {
    expect(walletsOf(command())).toEqual([ref]);
    expect(newWallet(ref)).toEqual({
      ...ref,
      ...{
        terms: plainTerms,
        balanceMinor: 0n,
        debitedMinor: 0n,
        seq: 0n,
        lastAtMs: 0,
        readWatermarkMs: 0,
      },
      ...{ aheadAcceptedMs: 0, lastHash: genesisHash(ref.id, ref.userId, ref.currency) },
    });
  });
});

describe('what a refusal names', () => {
  const ofWallet = { walletId: ref.id };
  const parentId = '99999999-8888-5777-8666-555555555555';
  const bought = command({ key: 'p', operation: 'purchase', amountMinor: 300n });
  const afterPurchase = given(rich, bought).state;
  const undo = (fields: Partial<Command>): Command =>
    command({ operation: 'cancellation', amountMinor: undefined, ...fields });

  it('a wallet that is corrupt, ahead of the clock or frozen is named', () => {
    const corrupt = { ...rich, corrupt: new Set([ref.id]) };
    given(corrupt).when(command()).then('WALLET_CORRUPT');
    const named = { ...ofWallet, currency: ref.currency };
    expect(metadataOf(corrupt, command())).toEqual(named);
    const lastAtMs = nowMs + clockToleranceMs + 1;
    expect(metadataOf(withWallet(rich, ref, { lastAtMs }), command())).toEqual(named);
    const frozen = withWallet(rich, ref, { terms: termsOf('frozen') });
    expect(metadataOf(frozen, command())).toEqual(named);
    const byStaff = { ...command(), callerClass: 'staff' as const };
    expect(metadataOf(frozen, byStaff)).toEqual({ ...named, userId: ref.userId });
  });

  it('a corrupt wallet refuses its own commands only', () => {
    const other = walletRefOf('6f1c3f3e-0000-4000-8000-000000000002');
    given({ ...rich, corrupt: new Set([other.id]) })
      .when(command())
      .then('accepted');
  });

  it('a parent that cannot be undone is named with the field and the reason', () => {
    expect(metadataOf(rich, undo({ parentId }))).toEqual({ field: 'parent_id', parentId });
    const missing = { field: 'parent_id', parentId: '' };
    expect(metadataOf(rich, undo({ parentId: undefined }))).toEqual(missing);
    const deposited = given(rich, command({ key: 'd' })).state;
    const ofDeposit = undo({ parentId: command({ key: 'd' }).transactionId });
    expect(metadataOf(deposited, ofDeposit)).toEqual({
      ...{ field: 'parent_id', parentId: ofDeposit.parentId },
      ...{ operation: 'cancellation', parent: 'deposit' },
    });
    const used = new Map([[usedKey(ref.id, bought.transactionId), 300n]]);
    const undone = { ...afterPurchase, used };
    expect(metadataOf(undone, undo({ parentId: bought.transactionId }))).toEqual({
      ...{ field: 'parent_id', parentId: bought.transactionId },
    });
  });

  it('an undo of more than is left names what is left', () => {
    const { transactionId } = bought;
    const part = undo({ key: 'part', parentId: transactionId, amountMinor: 100n });
    const rest = given(afterPurchase, part).state;
    const wrong = undo({ parentId: transactionId, amountMinor: 201n });
    expect(metadataOf(rest, wrong)).toEqual({
      ...{ field: 'amount', parentId: transactionId },
      ...{ left: '2.00', amount: '3.00', currency: 'BRL' },
    });
  });

  it('a balance that does not suffice or would be too large is named with the amount', () => {
    const take = command({ operation: 'withdraw', amountMinor: 1_001n });
    const named = { field: 'amount', balance: '10.00', amount: '10.01', currency: 'BRL' };
    expect(metadataOf(rich, take)).toEqual(named);
    const full = withWallet(rich, ref, { balanceMinor: 10n ** 18n - 1n });
    expect(metadataOf(full, command({ amountMinor: 1n }))).toEqual({
      ...{ field: 'amount', balance: '9999999999999999.99', amount: '0.01', currency: 'BRL' },
    });
  });

  it('a key that was used for another transaction is named with its field', () => {
    const done = given(rich, command()).state;
    expect(metadataOf(done, command({ amountMinor: 1n }))).toEqual({
      ...{ field: 'idempotency_key', transactionId: command().transactionId },
    });
    // Also where the transaction of that id is in another wallet.
    const elsewhere = { ...command(), wallet: walletRefOf(userId, 'USD') };
    given(done).when(elsewhere).then('IDEMPOTENCY_KEY_REUSED');
  });
});

it.each([
  ['customer', 'grpc'],
  ['staff', 'grpc'],
  ['message', 'message'],
] as const)('an entry of a %s has the source %s', (callerClass, source) => {
  given(rich)
    .when(command({ callerClass }))
    .then('accepted', { entries: [{ source }] });
});

describe('a wallet and its last entry', () => {
  const wallet = { ...newWallet(ref), seq: 3n, balanceMinor: 5n, lastHash: 'ab' };
  const last = { seq: 3n, balanceAfterMinor: 5n, hash: 'ab' };

  it('they agree only in sequence, balance and hash together', () => {
    expect(agreesWith(wallet, last)).toBe(true);
    expect(agreesWith(wallet, { ...last, seq: 4n })).toBe(false);
    expect(agreesWith(wallet, { ...last, balanceAfterMinor: 6n })).toBe(false);
    expect(agreesWith(wallet, { ...last, hash: 'ac' })).toBe(false);
  });

  it('a wallet without an entry agrees only if nothing has happened to it', () => {
    expect(agreesWith(newWallet(ref), undefined)).toBe(true);
    expect(agreesWith({ ...newWallet(ref), balanceMinor: 1n }, undefined)).toBe(false);
    expect(agreesWith({ ...newWallet(ref), seq: 1n }, undefined)).toBe(false);
    expect(agreesWith({ ...newWallet(ref), lastHash: 'ab' }, undefined)).toBe(false);
  });

  it('the refusals for a corrupt and a locked wallet have their reasons', () => {
    expect(corruptWallet(ref).rejection).toMatchObject({
      ...{ reason: 'WALLET_CORRUPT', metadata: { walletId: ref.id } },
    });
    expect(walletBusy.rejection.reason).toBe('WALLET_BUSY');
  });
});
