import { succeed, type Result } from '../../core/reasons.ts';
import { readClock, type Db, type Tx } from '../platform/db.ts';
import { appendOutbox } from '../platform/outbox.ts';
import {
  decideBatch,
  isRemembered,
  newWallet,
  opensWallet,
  walletsOf,
  type Command,
  type Decision,
  type Entry,
  type States,
  type WalletRef,
} from './domain.ts';
import * as inbox from './inbox.ts';
import { toCreatedMessage, toRejectedMessage } from './messages.ts';
import { newOverlay, overlayStates, remember, type Overlay } from './overlay.ts';
import * as store from './store.ts';

/** A transaction as the caller gets it: its entry, and whether the key had been used before. */
export type Posted = { readonly entry: Entry; readonly isReplayed: boolean };

/** Commits a batch in one transaction: open, lock, read, decide, write, with its outbox row. */
export async function commitBatch(
  db: Db,
  commands: readonly Command[],
): Promise<readonly Result<Posted>[]> {
  return db.tx(async (tx) => {
    const opened = distinctWallets(commands.filter(opensWallet));
    await store.openWallets(tx, opened.map(newWallet));
    const states = await readStates(tx, commands, true);
    const { decisions, changed } = decideBatch(states, commands, await readClock(tx));
    const entries = decisions.flatMap((d) => (d.kind === 'accepted' ? d.entries : []));
    if (entries.length > 0) {
      await store.appendEntries(tx, entries);
      await store.updateWallets(tx, changed);
    }
    const refusals = toRefusals(commands, decisions);
    const kept = await inbox.insertRefusals(tx, refusals);
    const told = refusals.filter((refusal) => kept.has(refusal.command.transactionId));
    await appendOutbox(tx, [...entries.map(toCreatedMessage), ...told.map(toRejectedMessage)]);
    return decisions.map(toPosted);
  });
}

/** The same decision on what is there now, without a lock and without a trace. */
export async function decideOnly(db: Db, command: Command): Promise<Result<Posted>> {
  const [posted] = await decideMany(db, [command], newOverlay());
  if (!posted) throw new Error('a command was not decided');
  return posted;
}

/** The same for many, one after the other, on top of what `overlay` remembers; adds to it. */
export async function decideMany(
  db: Db,
  commands: readonly Command[],
  overlay: Overlay,
): Promise<readonly Result<Posted>[]> {
  const { states, nowMs } = await db.snapshot(async (tx) => ({
    states: await readStates(tx, commands, false),
    nowMs: await readClock(tx),
  }));
  const decided = decideBatch(overlayStates(overlay, states, commands), commands, nowMs);
  remember(overlay, decided);
  return decided.decisions.map(toPosted);
}

async function readStates(
  tx: Tx,
  commands: readonly Command[],
  isLocked: boolean,
): Promise<States> {
  const wallets = await store.readWallets(tx, distinctWallets(commands), isLocked);
  const twins = commands.map((c) => ({ id: c.transactionId, walletId: c.wallet.id }));
  const parents = commands.flatMap((c) =>
    c.parentId === undefined ? [] : [{ id: c.parentId, walletId: c.wallet.id }],
  );
  return {
    wallets: new Map(wallets.map((wallet) => [wallet.id, wallet])),
    entries: await store.readEntries(tx, [...twins, ...parents]),
    undone: await store.readUndone(tx, parents),
    refused: await inbox.readRefusals(
      tx,
      commands.filter((c) => c.callerClass === 'message'),
    ),
  };
}

/** What messages were refused for the first time in this batch. */
function toRefusals(commands: readonly Command[], decisions: readonly Decision[]): inbox.Refusal[] {
  return commands.flatMap((command, i) => {
    const decision = decisions[i];
    if (decision?.kind !== 'rejected' || decision.isRepeated) return [];
    const { rejection } = decision;
    return isRemembered(command, rejection) ? [{ command, rejection }] : [];
  });
}

function distinctWallets(commands: readonly Command[]): WalletRef[] {
  const refs = new Map<string, WalletRef>();
  for (const ref of commands.flatMap(walletsOf)) refs.set(ref.id, ref);
  return [...refs.values()];
}

function toPosted(decision: Decision): Result<Posted> {
  if (decision.kind === 'rejected') return { ok: false, rejection: decision.rejection };
  const [entry] = decision.entries;
  if (!entry) throw new Error('an accepted command has no entry');
  return succeed({ entry, isReplayed: decision.kind === 'replayed' });
}
