import type { Tx } from '../../platform/db/db.ts';
import {
  walletsOf,
  type Command,
  type States,
  type WalletRef,
  type WalletState,
} from '../domain.ts';
import { agreesWith } from '../domain-integrity.ts';
import * as inbox from './inbox.ts';
import { readExpiring, readRare, type DefaultLimits } from './rare-states.ts';
import * as store from './store.ts';

/**
 * Everything that commands are decided on at `clockMs`, as it is now: of these wallets, locked or
 * not.
 */
export async function readStates(
  tx: Tx,
  commands: readonly Command[],
  wallets: readonly WalletState[],
  clockMs: number,
  defaultLimits: DefaultLimits,
): Promise<States> {
  const twins = commands.map(keyOf);
  const parents = parentsOf(commands);
  const read = new Map(wallets.map((wallet) => [wallet.id, wallet]));
  return {
    ...(await readRare(tx, commands, read, clockMs, defaultLimits)),
    ...(await readExpiring(tx, read, clockMs)),
    entries: await store.readEntries(tx, [...twins, ...parents]),
    used: await store.readUsed(tx, parents),
    corrupt: await findCorrupt(tx, wallets),
    refused: await inbox.readRefusals(
      tx,
      commands.filter((c) => c.callerClass === 'message'),
    ),
  };
}

/** The wallets among these that do not agree with their last entry. */
export async function findCorrupt(
  tx: Tx,
  wallets: readonly WalletState[],
): Promise<ReadonlySet<string>> {
  const last = await store.readLastEntries(tx, wallets);
  const corrupt = wallets.filter((wallet) => !agreesWith(wallet, last.get(wallet.id)));
  return new Set(corrupt.map(({ id }) => id));
}

/** The wallets that commands concern, each once. */
export function distinctWallets(commands: readonly Command[]): WalletRef[] {
  const refs = new Map<string, WalletRef>();
  for (const command of commands) for (const ref of walletsOf(command)) refs.set(ref.id, ref);
  return [...refs.values()];
}

/** What a command would be found by. */
export const keyOf = (command: Command): store.EntryKey => ({
  id: command.transactionId,
  walletId: command.wallet.id,
});

/** What the undos among commands undo. */
export function parentsOf(commands: readonly Command[]): store.EntryKey[] {
  const keys: store.EntryKey[] = [];
  for (const { parentId, wallet } of commands) {
    if (parentId !== undefined) keys.push({ id: parentId, walletId: wallet.id });
  }
  return keys;
}
