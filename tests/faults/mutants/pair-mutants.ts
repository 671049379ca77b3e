import { withoutCap, withoutFloor, withoutKey } from './guards.ts';
import type { Mutant } from './planted.ts';

const domain = 'daemon/wallet/domain.ts';
const movement = 'daemon/wallet/domain-movement.ts';
const writes = 'daemon/wallet/store/writes.ts';

/** Defects of commands on two wallets, and of undos of parts. */
export const pairMutants: readonly Mutant[] = [
  {
    name: 'one side of a transfer not written',
    edits: [
      {
        file: domain,
        before: 'entries: [own, enter(other, command, side, nowMs)] };',
        after: 'entries: [own] };',
      },
    ],
    scenario: 'two wallets',
  },
  {
    name: 'funds of the other wallet not checked',
    edits: [
      {
        file: domain,
        before: 'checkWallet(states, command, other, nowMs) ?? checkAmount(command, other, side)',
        after: 'checkWallet(states, command, other, nowMs)',
      },
    ],
    schema: { wallet: withoutFloor },
    scenario: 'two wallets',
  },
  {
    name: 'the wallet of the payee not updated',
    edits: [
      {
        file: writes,
        before: '  const sorted = updates.toSorted((a, b) => (a.to.id < b.to.id ? -1 : 1));',
        after: `const sorted = updates
          .filter(({ from, to }) => to.seq === from.seq || to.debitedMinor !== from.debitedMinor);`,
      },
    ],
    schema: { wallet: withoutKey },
    scenario: 'two wallets',
  },
  {
    name: 'what was used of a parent read before the lock',
    edits: [
      {
        file: 'daemon/wallet/store/states.ts',
        before: 'store.readUsed(tx, parents)',
        after: 'Promise.resolve(new Map<string, bigint>())',
      },
      {
        file: 'daemon/wallet/commit/cached-states.ts',
        before: 'store.readUsed(tx, parents)',
        after: 'Promise.resolve(new Map<string, bigint>())',
      },
    ],
    schema: { wallet: withoutCap },
    scenario: 'two wallets',
  },
  {
    name: 'undo of a transfer on its own wallet only',
    edits: [
      {
        file: movement,
        before: `    contraAccount: parent.contraAccount,
    other,`,
        after: `    contraAccount: parent.contraAccount,
    other: undefined,`,
      },
    ],
    scenario: 'two wallets',
  },
];
