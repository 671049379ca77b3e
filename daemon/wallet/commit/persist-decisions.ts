import { succeed, type Result } from '../../../core/reasons.ts';
import { appendAudits } from '../../platform/audit/audit.ts';
import { appendPacks } from '../../platform/audit/packs.ts';
import type { Tx } from '../../platform/db/db.ts';
import { toAuditRecords } from '../requests/audit.ts';
import type { Command, Decision, NewEntry } from '../domain.ts';
import { isRemembered, type DecidedBatch } from '../domain-batch.ts';
import * as inbox from '../store/inbox.ts';
import { appendEvents } from '../events/outbox.ts';
import type { AuditedDecision, AuditedCommand } from '../requests/audited-command.ts';
import type { InDoubtCommits } from './in-doubt-commits.ts';
import { upsertHolds } from '../store/holds.ts';
import { appendEntries } from '../store/writes.ts';

export const nothingDecided: DecidedBatch = { decisions: [], implied: [], changed: [], holds: [] };

/**
 * Writes what was decided: entries, holds, refusals of messages, the outbox row, the audit log. The
 * wallets' rows are the caller's. An answer for each command.
 */
export async function persistDecisions(
  tx: Tx,
  commands: readonly AuditedCommand[],
  decided: DecidedBatch,
  inDoubt: InDoubtCommits,
): Promise<readonly Result<AuditedDecision>[]> {
  const refusals = toRefusals(commands, decided.decisions);
  const kept = await inbox.insertRefusals(tx, refusals);
  const newRefusals = refusals.filter((refusal) => kept.has(refusal.command.transactionId));
  const { answers, written } = sendDecisions(tx, commands, decided, inDoubt, newRefusals);
  await written;
  return answers;
}

/** An answer for each command, which holds once all is written and committed. */
type Persisted = {
  readonly answers: readonly Result<AuditedDecision>[];
  readonly written: Promise<void>;
};

/**
 * The same where no message was refused. All statements have been sent when it returns, so that
 * COMMIT may be sent behind them.
 */
export function sendDecisions(
  tx: Tx,
  commands: readonly AuditedCommand[],
  { decisions, implied, holds }: DecidedBatch,
  inDoubt: InDoubtCommits,
  newRefusals: readonly inbox.Refusal[] = [],
): Persisted {
  const entries = [...implied];
  addAccepted(entries, decisions);
  const answers = decisions.map((decision, i) => toAnswer(decision, commands[i], inDoubt));
  const audit = toAuditRecords(commands, answers, decisions);
  // Sent together: the server works on one while the next is being made.
  const written = awaitAll([
    appendEntries(tx, entries),
    upsertHolds(tx, holds),
    appendEvents(tx, entries, newRefusals),
    appendAudits(tx, audit.entries),
    appendPacks(tx, audit.packs),
  ]);
  return { answers, written };
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

function addAccepted(entries: NewEntry[], decisions: readonly Decision[]): void {
  for (const decision of decisions) {
    if (decision.kind === 'accepted') entries.push(...decision.entries);
  }
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

/**
 * What a command is answered. An entry that an in-doubt commit of this same command wrote is no
 * replay to its caller.
 */
export function toAnswer(
  decision: Decision,
  command?: Command,
  inDoubt?: InDoubtCommits,
): Result<AuditedDecision> {
  if (decision.kind === 'rejected') return { ok: false, rejection: decision.rejection };
  const [entry] = decision.entries;
  if (!entry) throw new Error('an accepted command has no entry');
  if (decision.kind === 'accepted') {
    const { hold } = decision;
    if (!hold) return succeed({ entry, isReplayed: false });
    return succeed({ entry, isReplayed: false, hold: { hold, atMs: entry.occurredAtMs } });
  }
  const isOwn = command !== undefined && inDoubt?.wrote(command, entry) === true;
  return succeed({ entry, isReplayed: !isOwn });
}
