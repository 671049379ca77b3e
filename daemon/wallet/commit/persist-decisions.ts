import { succeed, type Result } from '../../../core/reasons.ts';
import { appendAudits } from '../../platform/audit/audit.ts';
import type { Tx } from '../../platform/db/db.ts';
import { toAuditEntries } from '../requests/audit.ts';
import type { Command, Decision, NewEntry, WalletState } from '../domain.ts';
import { isRemembered } from '../domain-batch.ts';
import * as inbox from '../events/inbox.ts';
import { appendEvents } from '../events/outbox.ts';
import type { AuditedDecision, AuditedCommand } from './audited-command.ts';
import { appendEntries } from '../store/writes.ts';

/** What the domain decided on a batch, and the wallets' states after it. */
export type Decided = {
  readonly decisions: readonly Decision[];
  readonly changed: readonly WalletState[];
};

/** Hashes of entries whose COMMIT got no answer, by the command that they were for. */
const inDoubt = new WeakMap<Command, Set<string>>();

/**
 * Writes what was decided: entries, refusals of messages, the outbox row, the audit log. The
 * wallets' rows are the caller's. An answer for each command.
 */
export async function persistDecisions(
  tx: Tx,
  commands: readonly AuditedCommand[],
  decisions: readonly Decision[],
): Promise<readonly Result<AuditedDecision>[]> {
  const entries = acceptedEntries(decisions);
  const answers = decisions.map((decision, i) => toPosted(decision, commands[i]));
  const refusals = toRefusals(commands, decisions);
  const kept = await inbox.insertRefusals(tx, refusals);
  const told = refusals.filter((refusal) => kept.has(refusal.command.transactionId));
  // Sent together: the server works on one while the next is being made.
  await awaitAll([
    appendEntries(tx, entries),
    appendEvents(tx, entries, told),
    appendAudits(tx, toAuditEntries(commands, answers)),
  ]);
  return answers;
}

/**
 * Waits for all, also where one fails: what is on its way belongs to this transaction. Throws the
 * first error in time.
 */
export async function awaitAll(works: readonly Promise<unknown>[]): Promise<void> {
  const errors: unknown[] = [];
  await Promise.all(works.map((work) => work.catch((err: unknown) => errors.push(err))));
  if (errors.length > 0) throw errors[0];
}

function acceptedEntries(decisions: readonly Decision[]): NewEntry[] {
  const entries: NewEntry[] = [];
  for (const decision of decisions) {
    if (decision.kind === 'accepted') entries.push(...decision.entries);
  }
  return entries;
}

/** What messages were refused for the first time in this batch. */
function toRefusals(commands: readonly Command[], decisions: readonly Decision[]): inbox.Refusal[] {
  const refusals: inbox.Refusal[] = [];
  commands.forEach((command, i) => {
    const decision = decisions[i];
    if (decision?.kind !== 'rejected' || decision.isRepeated) return;
    const { rejection } = decision;
    if (isRemembered(command, rejection)) refusals.push({ command, rejection });
  });
  return refusals;
}

/** Keeps in mind what a commit would have done whose answer was lost. */
export function markInDoubt(commands: readonly Command[], decisions: readonly Decision[]): void {
  commands.forEach((command, i) => {
    const decision = decisions[i];
    if (decision?.kind !== 'accepted') return;
    const hashes = inDoubt.get(command) ?? new Set();
    for (const entry of decision.entries) hashes.add(entry.hash);
    inDoubt.set(command, hashes);
  });
}

/** What this very command did in a commit whose answer was lost is no replay to its caller. */
export function toPosted(
  decision: Decision,
  command: Command | undefined,
): Result<AuditedDecision> {
  if (decision.kind === 'rejected') return { ok: false, rejection: decision.rejection };
  const [entry] = decision.entries;
  if (!entry) throw new Error('an accepted command has no entry');
  if (decision.kind === 'accepted') return succeed({ entry, isReplayed: false });
  const isOwn = command && inDoubt.get(command)?.has(entry.hash);
  return succeed({ entry, isReplayed: !isOwn });
}
