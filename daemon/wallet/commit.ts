import { succeed, type Result } from '../../core/reasons.ts';
import { appendAudits } from '../platform/audit.ts';
import { isCommitInDoubt, readClock, type Db, type Tx } from '../platform/db.ts';
import { toAuditEntries } from './audit.ts';
import {
  decideBatch,
  isRemembered,
  newWallet,
  opensWallet,
  walletsOf,
  type Command,
  type Decision,
  type States,
  type WalletRef,
} from './domain.ts';
import * as inbox from './inbox.ts';
import { appendEvents } from './outbox.ts';
import { newOverlay, overlayStates, remember, type Overlay } from './overlay.ts';
import type { Posted, Posting } from './posting.ts';
import * as store from './store.ts';

/** Hashes of entries whose COMMIT got no answer, by the command that they were for. */
const inDoubt = new WeakMap<Command, Set<string>>();

/**
 * Commits a batch in one transaction: open, lock, read, decide, write, with its outbox row and its
 * lines in the audit log. After a lost answer to COMMIT the same commands are committed again.
 */
export async function commitBatch(
  db: Db,
  commands: readonly Posting[],
): Promise<readonly Result<Posted>[]> {
  let decided: readonly Decision[] = [];
  const work = async (tx: Tx): Promise<readonly Result<Posted>[]> => {
    const opened = distinctWallets(commands.filter(opensWallet));
    await store.openWallets(tx, opened.map(newWallet));
    const states = await readStates(tx, commands, true);
    const { decisions, changed } = decideBatch(states, commands, await readClock(tx));
    decided = decisions;
    const entries = decisions.flatMap((d) => (d.kind === 'accepted' ? d.entries : []));
    if (entries.length > 0) {
      await store.appendEntries(tx, entries);
      await store.updateWallets(tx, changed);
    }
    const refusals = toRefusals(commands, decisions);
    const kept = await inbox.insertRefusals(tx, refusals);
    const told = refusals.filter((refusal) => kept.has(refusal.command.transactionId));
    await appendEvents(tx, entries, told);
    const outcomes = decisions.map((decision, i) => toPosted(decision, commands[i]));
    await appendAudits(tx, toAuditEntries(commands, outcomes));
    return outcomes;
  };
  return db.tx(work).catch((err: unknown) => {
    if (isCommitInDoubt(err)) rememberDoubt(commands, decided);
    throw err;
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
  return decided.decisions.map((decision, i) => toPosted(decision, commands[i]));
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

function rememberDoubt(commands: readonly Command[], decisions: readonly Decision[]): void {
  commands.forEach((command, i) => {
    const decision = decisions[i];
    if (decision?.kind !== 'accepted') return;
    const hashes = inDoubt.get(command) ?? new Set();
    for (const entry of decision.entries) hashes.add(entry.hash.toString('hex'));
    inDoubt.set(command, hashes);
  });
}

/** What this very command did in a commit whose answer was lost is no replay to its caller. */
function toPosted(decision: Decision, command: Command | undefined): Result<Posted> {
  if (decision.kind === 'rejected') return { ok: false, rejection: decision.rejection };
  const [entry] = decision.entries;
  if (!entry) throw new Error('an accepted command has no entry');
  const isOwn = command && inDoubt.get(command)?.has(entry.hash.toString('hex'));
  return succeed({ entry, isReplayed: decision.kind === 'replayed' && !isOwn });
}
