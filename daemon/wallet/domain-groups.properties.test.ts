import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { transactionIdOf } from '../../core/ids.ts';
import { buildCommand, buildGroup, walletRefOf } from '../../tests/support/ledger/build-command.ts';
import { noStates, withWallet } from '../../tests/support/ledger/wallet-decider.ts';
import { usedAfter, usedKey, type Command, type Entry, type States } from './domain.ts';
import { decideBatch, type DecidedBatch } from './domain-batch.ts';

const users = [1, 2, 3].map((n) => `6f1c3f3e-0000-4000-8000-00000000000${n}`);
const refs = users.map((userId) => walletRefOf(userId));
const groupIds = [1, 2, 3].map((n) => `7f1c3f3e-0000-4000-8000-00000000000${n}`);
const nowMs = Date.UTC(2026, 10, 28);

const operations = ['deposit', 'withdraw', 'purchase', 'transfer', 'fee', 'hold'] as const;

/** Few keys, small balances: most programs have replays, refusals and used keys. */
const commandArbitrary = fc
  .record({
    own: fc.integer({ min: 0, max: 2 }),
    step: fc.integer({ min: 1, max: 2 }),
    key: fc.integer({ min: 0, max: 30 }),
    operation: fc.oneof(fc.constantFrom(...operations), fc.constantFrom('reversal', 'capture')),
    parentKey: fc.integer({ min: 0, max: 30 }),
    amountMinor: fc.bigInt({ min: 1n, max: 4n }),
  })
  .map(({ own, step, key, operation, parentKey, amountMinor }): Command => {
    const userId = users[own] ?? '';
    const wallet = refs[own] ?? refs[0]!;
    const hasParent = operation === 'reversal' || operation === 'capture';
    return buildCommand(userId, {
      ...{ wallet, operation, amountMinor, key: `k${key}`, callerClass: 'staff' },
      ...(hasParent ? { parentId: transactionIdOf(wallet.id, 'staff', `k${parentKey}`) } : {}),
      ...(operation === 'transfer' ? { more: { other: refs[(own + step) % 3]! } } : {}),
      ...(operation === 'hold' ? { more: { expiresInMs: 60_000 } } : {}),
    });
  });

type Part = { readonly commands: readonly Command[]; readonly groupId: string | undefined };
const partArbitrary: fc.Arbitrary<Part> = fc.record({
  commands: fc.array(commandArbitrary, { minLength: 1, maxLength: 5 }),
  groupId: fc.option(fc.constantFrom(...groupIds), { nil: undefined }),
});

/** Some parts are those of before, sent again. */
const programArbitrary: fc.Arbitrary<readonly Part[]> = fc
  .array(fc.tuple(partArbitrary, fc.option(fc.nat(11), { freq: 3 })), { maxLength: 12 })
  .map((drawn) => drawn.map(([part, place], i) => drawn[place ?? i]?.[0] ?? part));

const toCommands = ({ commands, groupId }: Part): readonly Command[] =>
  groupId === undefined
    ? commands.filter(({ operation }) => operation !== 'fee')
    : buildGroup(commands, groupId);

const start = refs.reduce(
  (states, ref) => withWallet(states, ref, { balanceMinor: 6n, seq: 1n }),
  noStates,
);

/** The states as a database would give them after a batch. */
function fold(states: States, commands: readonly Command[], batch: DecidedBatch): States {
  const { decisions, changed, holds } = batch;
  const entries = new Map(states.entries);
  const used = new Map(states.used);
  const openHolds = new Map(states.openHolds);
  const enter = (entry: Entry): void => {
    if (entry.parentId === undefined) return;
    used.set(usedKey(entry.wallet.id, entry.parentId), usedAfter(entry));
  };
  commands.forEach(({ transactionId }, i) => {
    const decision = decisions[i];
    if (decision?.kind !== 'accepted') return;
    entries.set(transactionId, decision.entries);
    decision.entries.forEach(enter);
  });
  const known = new Map([...states.holds, ...holds.map((hold) => [hold.id, hold] as const)]);
  for (const { id } of refs) {
    const open = [...known.values()].filter((h) => h.walletId === id && h.state === 'open');
    openHolds.set(id, open.length);
  }
  const wallets = new Map([...states.wallets, ...changed.map((w) => [w.id, w] as const)]);
  return { ...states, wallets, entries, used, openHolds, holds: known };
}

/** The commands of a group one by one, as if each were alone. */
function decideSingly(states: States, { commands, groupId }: Part) {
  let current = states;
  const kinds: string[] = [];
  for (const command of commands) {
    const single = { ...command, more: { ...command.more, ...(groupId ? { groupId } : {}) } };
    const batch = decideBatch(current, [single], nowMs);
    current = fold(current, [single], batch);
    kinds.push(batch.decisions[0]?.kind ?? 'none');
  }
  return { current, kinds };
}

const comparable = ({ wallets, entries, used, holds }: States) => ({
  wallets: [...wallets].sort(),
  entries: [...entries].map(([id, found]) => [id, found.map(({ hash }) => hash)]).sort(),
  used: [...used].sort(),
  holds: [...holds].sort(),
});

const runs = { numRuns: 400 };

describe('atomic groups', () => {
  it('a group equals its items one by one if all are accepted, and changes nothing otherwise', () => {
    const seen = { done: 0, refused: 0, replayed: 0 };
    fc.assert(
      fc.property(programArbitrary, (parts) => {
        let states = start;
        for (const part of parts) {
          const commands = toCommands(part);
          const batch = decideBatch(states, commands, nowMs);
          const next = fold(states, commands, batch);
          if (part.groupId !== undefined) {
            const { current, kinds } = decideSingly(states, part);
            const isNew = commands.every(({ transactionId }) => !states.entries.has(transactionId));
            const isDone = kinds.every((kind) => kind === 'accepted');
            const isReplay = !isNew && kinds.every((kind) => kind === 'replayed');
            const wanted = isDone ? 'accepted' : isReplay ? 'replayed' : 'rejected';
            expect(new Set(batch.decisions.map(({ kind }) => kind))).toEqual(new Set([wanted]));
            expect(comparable(next)).toEqual(comparable(isDone ? current : states));
            seen[isDone ? 'done' : isReplay ? 'replayed' : 'refused'] += 1;
          }
          states = next;
        }
      }),
      runs,
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(0);
  });

  it('a program of groups and single commands is decided alike in any batches (P8)', () => {
    const ends = fc.infiniteStream(fc.boolean());
    fc.assert(
      fc.property(programArbitrary, ends, (parts, isEnd) => {
        const together = parts.flatMap(toCommands);
        const whole = decideBatch(start, together, nowMs);
        let states = start;
        const decided: unknown[] = [];
        let waiting: Command[] = [];
        parts.forEach((part, i) => {
          waiting.push(...toCommands(part));
          if (!isEnd.next().value && i < parts.length - 1) return;
          const batch = decideBatch(states, waiting, nowMs);
          states = fold(states, waiting, batch);
          decided.push(...batch.decisions);
          waiting = [];
        });
        expect(whole.decisions).toEqual(decided);
        expect(comparable(fold(start, together, whole))).toEqual(comparable(states));
      }),
      runs,
    );
  });

  it('a refused group has one item with a reason of its own, which the others name (P9)', () => {
    fc.assert(
      fc.property(fc.array(commandArbitrary, { minLength: 1, maxLength: 16 }), (commands) => {
        const { decisions, changed, implied, holds } = decideBatch(
          ...[start, buildGroup(commands), nowMs],
        );
        const refusals = decisions.flatMap((one) =>
          one.kind === 'rejected' ? [one.rejection] : [],
        );
        if (refusals.length === 0) return;
        expect(refusals).toHaveLength(commands.length);
        const failed = refusals.findIndex(({ reason }) => reason !== 'GROUP_ABORTED');
        const { reason } = refusals[failed]!;
        for (const other of refusals.filter((_one, i) => i !== failed)) {
          expect(other).toMatchObject({
            ...{ reason: 'GROUP_ABORTED', metadata: { item: String(failed), reason } },
          });
        }
        expect([changed, implied, holds]).toEqual([[], [], []]);
      }),
      runs,
    );
  });
});
