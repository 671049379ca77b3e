import { randomUUID } from 'node:crypto';

import { uuidV5 } from '../../../core/ids.ts';
import { absoluteMinor, formatMinor } from '../../../core/money.ts';
import { ofHold } from '../../../core/operations.ts';
import type { Result } from '../../../core/reasons.ts';
import type { AuditActor, AuditEntry, AuditLine } from '../../platform/audit/audit.ts';
import type { AuditPack } from '../../platform/audit/packs.ts';
import type { Command, Decision, Entry } from '../domain.ts';
import type {
  AuditedCommand,
  AuditedDecision,
  AuditGroup,
  CommandAudit,
} from './audited-command.ts';

/** Staff's commands are recorded: they are always on another's wallet. Customers' are not. */
export function withAudit(command: Command, actor: AuditActor): AuditedCommand {
  return addAudit(command, { actor, id: randomUUID(), group: undefined });
}

/** The same for many that are submitted together, on a stream or in a batch. */
export function withAudits(
  commands: readonly Command[],
  actor: AuditActor,
  group: AuditGroup,
): readonly AuditedCommand[] {
  const audit = { actor, id: randomUUID(), group };
  return commands.map((command) => addAudit(command, audit));
}

// Spelt out: copying by spread is several times as slow, for each transaction.
const addAudit = (command: Command, audit: CommandAudit): AuditedCommand =>
  command.callerClass !== 'staff'
    ? command
    : {
        transactionId: command.transactionId,
        key: command.key,
        wallet: command.wallet,
        operation: command.operation,
        amountMinor: command.amountMinor,
        parentId: command.parentId,
        merchant: command.merchant,
        description: command.description,
        metadata: command.metadata,
        callerClass: command.callerClass,
        actor: command.actor,
        more: command.more,
        audit,
      };

/** What a commit records: rows of a line each, and rows with the lines of one actor. */
export type AuditRecords = {
  readonly entries: readonly AuditEntry[];
  readonly packs: readonly AuditPack[];
};

type Decided = { readonly command: AuditedCommand; readonly outcome: Result<AuditedDecision> };
type Row = {
  readonly audit: CommandAudit;
  /** New transactions of one actor: each has its line. Others in a row share one. */
  readonly isCreated: boolean;
  readonly decided: Decided[];
};

/**
 * The lines for what was decided. If the answer to COMMIT is lost and all is decided again, maybe
 * with others beside it, what was recorded is not recorded twice. The line of a transaction is
 * written in the commit that writes its entry, and only there: an entry is written once. Other
 * lines have an id that follows from the submission and its outcome, and an id is kept once.
 */
export function toAuditRecords(
  commands: readonly AuditedCommand[],
  outcomes: readonly Result<AuditedDecision>[],
  decisions: readonly Decision[],
): AuditRecords {
  const rows = new Map<string, Row>();
  const forced: AuditEntry[] = [];
  commands.forEach((command, i) => {
    const { audit } = command;
    const outcome = outcomes[i];
    if (!audit || !outcome) return;
    if (decisions[i]?.kind === 'accepted' && isForcedByStaff(command)) {
      forced.push(forcedEntryOf(audit, command, outcome));
    }
    const isCreated = !audit.group && !audit.deadLetter && resultOf(outcome) === 'ok';
    // An in-doubt commit of this submission has written the entry, and with it the line.
    if (isCreated && decisions[i]?.kind !== 'accepted') return;
    const name = isCreated ? nameOf(audit.actor) : (audit.group?.id ?? audit.id);
    const row = rows.get(name);
    if (row) row.decided.push({ command, outcome });
    else rows.set(name, { audit, isCreated, decided: [{ command, outcome }] });
  });
  const entries: AuditEntry[] = [];
  const packs: AuditPack[] = [];
  for (const row of rows.values()) {
    if (!row.isCreated) entries.push(toEntry(row));
    else for (const lines of splitByNames(row.decided)) addCreated(lines, entries, packs);
  }
  return { entries: [...entries, ...forced], packs };
}

/** A line of its own for each forced transaction, also of a batch whose line has counts only. */
const forcedEntryOf = (
  audit: CommandAudit,
  command: Command,
  outcome: Result<AuditedDecision>,
): AuditEntry => ({
  actor: audit.actor,
  id: uuidV5(audit.id, `force ${command.transactionId}`),
  line: { action: 'transaction.force', ...lineOf(command, outcome) },
});

/** Lines of one name can share a row. */
function nameOf({ principal }: AuditActor): string {
  if (principal.kind !== 'user') return principal.kind;
  return `${principal.userId} ${principal.role} ${principal.apiKey?.keyId ?? ''}`;
}

type Line = Decided & { readonly audit: CommandAudit; readonly line: AuditLine };

/** Lines that share a row have details of the same names, which follow from their commands. */
function splitByNames(decided: readonly Decided[]): Iterable<readonly Line[]> {
  const byNames = new Map<string, Line[]>();
  for (const { command, outcome } of decided) {
    const { audit } = command;
    if (!audit) continue;
    const line = commandLineOf(audit, command, outcome);
    const names = Object.keys(line.details ?? {}).join(' ');
    const lines = byNames.get(names);
    if (lines) lines.push({ command, outcome, audit, line });
    else byNames.set(names, [{ command, outcome, audit, line }]);
  }
  return byNames.values();
}

/** A row, which has the id that its first line would have by itself. */
function addCreated(lines: readonly Line[], entries: AuditEntry[], packs: AuditPack[]): void {
  const [first] = lines;
  if (!first) return;
  const { audit, line } = first;
  const id = idOf(audit, [first]);
  if (lines.length === 1) entries.push({ actor: audit.actor, id, line });
  else
    packs.push({ id, entries: lines.map((one) => ({ actor: one.audit.actor, line: one.line })) });
}

function toEntry({ audit, decided }: Row): AuditEntry {
  const [first] = decided;
  if (!first) throw new Error('a line of the audit log is about nothing');
  const line =
    audit.group === undefined
      ? commandLineOf(audit, first.command, first.outcome)
      : groupLineOf(audit.group, decided);
  return { actor: audit.actor, id: idOf(audit, decided), line };
}

/** Two commits may each have a part of one message: the first transaction distinguishes them. */
const idOf = (audit: CommandAudit, decided: readonly Decided[]): string =>
  uuidV5(
    audit.id,
    `${decided[0]?.command.transactionId},${decided.map(({ outcome }) => resultOf(outcome)).join()}`,
  );

function commandLineOf(
  { deadLetter }: CommandAudit,
  command: Command,
  outcome: Result<AuditedDecision>,
): AuditLine {
  if (!deadLetter) return { action: 'transaction.create', ...lineOf(command, outcome) };
  const details = { ...deadLetter.details, ...detailsOf(command, outcome) };
  const result = resultOf(outcome);
  return { action: 'dead_letter.replay', target: deadLetter.id, result, details };
}

/** A command and what came of it, for the audit log; `target` is the wallet's owner. */
export function lineOf(
  command: Command,
  outcome: Result<AuditedDecision>,
): Omit<AuditLine, 'action'> {
  const { userId, ...details } = detailsOf(command, outcome);
  return { target: userId, result: resultOf(outcome), details };
}

type Details = Readonly<Record<string, string>> & { readonly userId: string };

/** In the metadata of the transfer that closed its wallet: no other request can set it. */
export const closingKey = 'dw.closing';

/** Whose wallet, what and how much; without an outcome as it was asked for. */
export function detailsOf(
  { wallet, operation, amountMinor, transactionId, parentId, metadata, more }: Command,
  outcome: Result<AuditedDecision> | undefined,
): Details {
  const moved = outcome?.ok ? movedBy(outcome.value.entry) : amountMinor;
  const otherUserId = more?.other?.userId ?? more?.payeeUserId;
  return {
    userId: wallet.userId,
    operation,
    currency: wallet.currency,
    // A refused undo may have named none.
    ...(moved === undefined ? {} : { amount: formatMinor(moved, wallet.exponent) }),
    transactionId,
    ...(otherUserId === undefined ? {} : { otherUserId }),
    ...(ofHold(operation) && parentId !== undefined ? { holdId: parentId } : {}),
    ...(isForcedByStaff({ more, metadata }) ? { forced: 'true' } : {}),
  };
}

/** No limit stops the transfer that closes a wallet: it is not forced by anyone. */
const isForcedByStaff = ({ more, metadata }: Pick<Command, 'more' | 'metadata'>): boolean =>
  more?.isForced === true && !(closingKey in metadata);

/** What it moved, or reserved or released where it moved nothing. */
const movedBy = ({ amountMinor, more }: Entry): bigint =>
  absoluteMinor(amountMinor === 0n ? (more?.heldMinor ?? 0n) : amountMinor);

function groupLineOf({ kind, id }: AuditGroup, decided: readonly Decided[]): AuditLine {
  const owners = new Set(decided.map(({ command }) => command.wallet.userId));
  const count = (isCounted: (outcome: Result<AuditedDecision>) => boolean): string =>
    String(decided.filter(({ outcome }) => isCounted(outcome)).length);
  const [owner = ''] = owners;
  return {
    action: `transaction.${kind}`,
    target: owners.size === 1 ? owner : `${owners.size} users`,
    result: 'ok',
    details: {
      [kind]: id,
      created: count((outcome) => resultOf(outcome) === 'ok'),
      replayed: count((outcome) => resultOf(outcome) === 'replayed'),
      rejected: count((outcome) => !outcome.ok),
    },
  };
}

/** `ok`, `replayed`, or the reason of the refusal. */
export function resultOf(outcome: Result<AuditedDecision>): string {
  if (!outcome.ok) return outcome.rejection.reason;
  return outcome.value.isReplayed ? 'replayed' : 'ok';
}
