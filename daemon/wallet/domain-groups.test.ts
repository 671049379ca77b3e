import { randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import {
  brlWalletOf,
  buildCommand,
  buildGroup,
  walletRefOf,
} from '../../tests/support/ledger/build-command.ts';
import { noStates, termsOf, withWallet } from '../../tests/support/ledger/wallet-decider.ts';
import type { Command, Decision, States } from './domain.ts';
import { decideBatch, type DecidedBatch } from './domain-batch.ts';
import { takeWholeGroups } from './domain-groups.ts';

const nowMs = Date.UTC(2026, 10, 28);
const [ana, bia, shop] = [randomUUID(), randomUUID(), randomUUID()];

const funded = (userId: string, balanceMinor: bigint, states: States = noStates): States =>
  withWallet(states, brlWalletOf(userId), { balanceMinor, seq: 1n });
const withdraw = (userId: string, amountMinor: bigint, fields: Partial<Command> = {}) =>
  buildCommand(userId, { operation: 'withdraw', amountMinor, ...fields });
const transfer = (from: string, to: string, amountMinor: bigint) =>
  buildCommand(from, { operation: 'transfer', amountMinor, more: { other: brlWalletOf(to) } });
const fee = (userId: string, amountMinor: bigint) =>
  buildCommand(userId, { operation: 'fee', amountMinor });

const outcomeOf = (decision: Decision): string =>
  decision.kind === 'rejected' ? decision.rejection.reason : decision.kind;
const outcomesOf = ({ decisions }: DecidedBatch): string[] => decisions.map(outcomeOf);
const metadataOf = ({ decisions }: DecidedBatch, place: number) => {
  const decision = decisions[place];
  return decision?.kind === 'rejected' ? decision.rejection.metadata : undefined;
};
const balancesOf = ({ changed }: DecidedBatch) =>
  Object.fromEntries(changed.map(({ userId, balanceMinor }) => [userId, balanceMinor]));
const decide = (states: States, commands: readonly Command[]) =>
  decideBatch(states, commands, nowMs);

/** The states with the entries of what was accepted, and its wallets. */
function after(states: States, commands: readonly Command[], batch: DecidedBatch): States {
  const entries = new Map(states.entries);
  commands.forEach(({ transactionId }, i) => {
    const decision = batch.decisions[i];
    if (decision?.kind === 'accepted') entries.set(transactionId, decision.entries);
  });
  const changed = batch.changed.map((wallet) => [wallet.id, wallet] as const);
  return { ...states, entries, wallets: new Map([...states.wallets, ...changed]) };
}

describe('atomic groups', () => {
  it('a payment and its fee are done together, and the entries have the id of the group', () => {
    const groupId = randomUUID();
    const group = buildGroup([transfer(ana, shop, 900n), fee(ana, 100n)], groupId);
    const batch = decide(funded(ana, 1_000n), group);
    expect(outcomesOf(batch)).toEqual(['accepted', 'accepted']);
    expect(balancesOf(batch)).toEqual({ [ana]: 0n, [shop]: 900n });
    const entries = batch.decisions.flatMap((one) => (one.kind === 'accepted' ? one.entries : []));
    expect(entries.map(({ contraAccount, more }) => [contraAccount, more?.groupId])).toEqual([
      [`user:${shop}`, groupId],
      [`user:${ana}`, groupId],
      ['external:fees', groupId],
    ]);
  });

  it('a group of which one is refused changes nothing, and the others name it', () => {
    const group = buildGroup([transfer(ana, shop, 900n), fee(ana, 101n), withdraw(ana, 1n)]);
    const batch = decide(funded(ana, 1_000n), group);
    expect(outcomesOf(batch)).toEqual(['GROUP_ABORTED', 'INSUFFICIENT_FUNDS', 'GROUP_ABORTED']);
    expect(metadataOf(batch, 0)).toEqual({ item: '1', reason: 'INSUFFICIENT_FUNDS' });
    expect(batch).toMatchObject({ changed: [], implied: [], holds: [] });
  });

  it('a group that was refused before is refused for the same cause', () => {
    const group = buildGroup([fee(ana, 100n), transfer(ana, shop, 901n), fee(ana, 1n)]);
    const first = decide(funded(ana, 1_000n), group);
    expect(outcomesOf(first)).toEqual(['GROUP_ABORTED', 'INSUFFICIENT_FUNDS', 'GROUP_ABORTED']);
    const again = group.map((command, i): Command => {
      const decision = first.decisions[i];
      return decision?.kind === 'rejected'
        ? { ...command, refusedIfNew: decision.rejection }
        : command;
    });
    // Money has come meanwhile: what was answered stays true.
    expect(decide(funded(ana, 9_000n), again)).toEqual(first);
  });

  it('what comes before and behind a refused group sees nothing of it', () => {
    const commands = [
      withdraw(ana, 100n),
      ...buildGroup([withdraw(ana, 500n), withdraw(bia, 1n)]),
      withdraw(ana, 900n),
      ...buildGroup([buildCommand(ana, { amountMinor: 5n }), withdraw(ana, 5n)]),
    ];
    const batch = decide(funded(ana, 1_000n), commands);
    expect(outcomesOf(batch)).toEqual([
      ...['accepted', 'GROUP_ABORTED', 'INSUFFICIENT_FUNDS', 'accepted', 'accepted', 'accepted'],
    ]);
    expect(balancesOf(batch)).toEqual({ [ana]: 0n });
    expect(batch.changed[0]?.seq).toBe(5n);
  });

  it('an item of a group is covered by an earlier one of it', () => {
    const group = buildGroup([transfer(ana, bia, 10n), transfer(bia, ana, 10n)]);
    expect(outcomesOf(decide(funded(ana, 10n), group))).toEqual(['accepted', 'accepted']);
    const turned = buildGroup([transfer(bia, ana, 10n), transfer(ana, bia, 10n)]);
    expect(outcomesOf(decide(funded(ana, 10n), turned))).toEqual([
      ...['INSUFFICIENT_FUNDS', 'GROUP_ABORTED'],
    ]);
  });

  it('a closed wallet in the middle of a group aborts it', () => {
    const states = withWallet(funded(ana, 100n), brlWalletOf(bia), { terms: termsOf('closed') });
    const group = buildGroup([withdraw(ana, 1n), buildCommand(bia), withdraw(ana, 1n)]);
    expect(outcomesOf(decide(states, group))).toEqual([
      ...['GROUP_ABORTED', 'WALLET_CLOSED', 'GROUP_ABORTED'],
    ]);
  });

  it('a group may have wallets in several currencies', () => {
    const usd = { wallet: walletRefOf(ana, 'USD') };
    const group = buildGroup([
      withdraw(ana, 500n),
      buildCommand(ana, { ...usd, amountMinor: 90n }),
    ]);
    expect(outcomesOf(decide(funded(ana, 500n), group))).toEqual(['accepted', 'accepted']);
  });

  it('a command of a group without the others is a defect, and nothing is decided', () => {
    const [first] = buildGroup([withdraw(ana, 1n), withdraw(ana, 1n)]);
    expect(() => decide(funded(ana, 10n), [first!])).toThrow('not complete');
  });
});

it('what a hold whose time is over reserved is there for a group, and stays released if it is refused', () => {
  const hold = buildCommand(ana, {
    ...{ operation: 'hold', amountMinor: 60n, callerClass: 'staff', more: { expiresInMs: 1_000 } },
  });
  const states = funded(ana, 100n);
  const placed = decide(states, [hold]);
  const later = {
    ...after(states, [hold], placed),
    due: new Map([[hold.wallet.id, placed.holds]]),
    holds: new Map(placed.holds.map((one) => [one.id, one])),
  };
  const at = (group: readonly Command[]) => decideBatch(later, group, nowMs + 2_000);
  const done = at(buildGroup([withdraw(ana, 40n), withdraw(ana, 60n)]));
  expect(outcomesOf(done)).toEqual(['accepted', 'accepted']);
  const refused = at(buildGroup([withdraw(ana, 40n), withdraw(ana, 61n)]));
  expect(outcomesOf(refused)).toEqual(['GROUP_ABORTED', 'INSUFFICIENT_FUNDS']);
  for (const { implied, holds, changed } of [done, refused]) {
    expect(implied.map(({ operation, seq }) => [operation, seq])).toEqual([['release', 3n]]);
    expect(holds).toMatchObject([{ id: hold.transactionId, state: 'expired' }]);
    expect(changed).toMatchObject([{ held: undefined }]);
  }
  expect(balancesOf(refused)).toEqual({ [ana]: 100n });
});

it('holds that a group places count for what comes behind it', () => {
  const hold = () =>
    buildCommand(ana, { operation: 'hold', amountMinor: 1n, more: { expiresInMs: 1_000 } });
  const states = { ...funded(ana, 10n), openHolds: new Map([[hold().wallet.id, 1_022]]) };
  const commands = [...buildGroup([hold(), hold()]), hold(), ...buildGroup([hold(), hold()])];
  expect(outcomesOf(decide(states, commands))).toEqual([
    ...['accepted', 'accepted', 'HOLD_LIMIT_EXCEEDED', 'HOLD_LIMIT_EXCEEDED', 'GROUP_ABORTED'],
  ]);
});

describe('keys of groups', () => {
  const states = funded(ana, 1_000n);
  const commands = [withdraw(ana, 10n), withdraw(ana, 20n)];
  const groupId = randomUUID();
  const group = buildGroup(commands, groupId);
  const done = after(states, group, decide(states, group));

  it('the same group again is a replay, and so is it in the same batch', () => {
    expect(outcomesOf(decide(done, buildGroup(commands, groupId)))).toEqual([
      ...['replayed', 'replayed'],
    ]);
    const twice = decide(states, [...group, ...buildGroup(commands, groupId)]);
    expect(outcomesOf(twice)).toEqual(['accepted', 'accepted', 'replayed', 'replayed']);
    expect(balancesOf(twice)).toEqual({ [ana]: 970n });
  });

  it('a used key among new ones refuses the group, and names the used key', () => {
    const mixed = buildGroup([withdraw(ana, 1n), commands[1]!, withdraw(ana, 1n)], groupId);
    const batch = decide(done, mixed);
    expect(outcomesOf(batch)).toEqual(['GROUP_ABORTED', 'IDEMPOTENCY_KEY_REUSED', 'GROUP_ABORTED']);
    expect(metadataOf(batch, 1)).toMatchObject({ transactionId: commands[1]?.transactionId });
    expect(batch.changed).toEqual([]);
  });

  it('a used key comes before what else is wrong with a new item', () => {
    const mixed = buildGroup([withdraw(ana, 9_999n), commands[1]!], groupId);
    expect(outcomesOf(decide(done, mixed))).toEqual(['GROUP_ABORTED', 'IDEMPOTENCY_KEY_REUSED']);
  });

  it('keys of a group are used up for other groups, other content and single commands', () => {
    const reused = ['IDEMPOTENCY_KEY_REUSED', 'GROUP_ABORTED'];
    expect(outcomesOf(decide(done, buildGroup(commands)))).toEqual(reused);
    const other = commands.map((command) => ({ ...command, amountMinor: 30n }));
    expect(outcomesOf(decide(done, buildGroup(other, groupId)))).toEqual(reused);
    expect(outcomesOf(decide(done, commands))).toEqual(Array(2).fill('IDEMPOTENCY_KEY_REUSED'));
  });

  it('a key of a single command is used up for a group', () => {
    const single = after(states, commands, decide(states, commands));
    expect(outcomesOf(decide(single, group))).toEqual([
      ...['IDEMPOTENCY_KEY_REUSED', 'GROUP_ABORTED'],
    ]);
  });

  it('two items of a group with one key are refused', () => {
    const same = buildGroup([commands[0]!, commands[0]!]);
    expect(outcomesOf(decide(states, same))).toEqual(['GROUP_ABORTED', 'IDEMPOTENCY_KEY_REUSED']);
  });
});

it('a part of a batch ends before a group that it has no room for', () => {
  const commands = [withdraw(ana, 1n), ...buildGroup([fee(ana, 1n), fee(ana, 1n), fee(ana, 1n)])];
  const lengths = [0, 1, 2, 3, 4, 5].map((limit) => takeWholeGroups(commands, limit).length);
  expect(lengths).toEqual([0, 1, 1, 1, 4, 4]);
});
