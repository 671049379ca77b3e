import { randomUUID } from 'node:crypto';

import type { Rejection } from '../../../core/reasons.ts';
import type { Principal } from '../access/access.ts';
import { classifyDbError, sql, type Db, type Tx } from '../db/db.ts';
import { createDenialReport } from './denials.ts';
import type { Log } from '../log.ts';
import { createMinuteCounter } from '../concurrency/minute-counter.ts';
import { stripUnstorable } from '../db/storable.ts';

/** One line of a service's audit log; who and when are added here. */
export type AuditLine = {
  readonly action: string;
  readonly target: string;
  /** `ok`, or the reason of the refusal. */
  readonly result: string;
  readonly details?: Readonly<Record<string, string>>;
};

/** Who did it: what the audit log takes from a call, or a user of the host itself. */
export type AuditActor = {
  readonly principal: Principal | { readonly kind: 'host' };
  readonly requestId: string;
};

const appendSql = sql(
  'audit_append',
  `INSERT INTO audit_log (id, actor, actor_role, action, target, result, request_id, details)
   SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
     $7::text[], $8::json[])
   ON CONFLICT DO NOTHING`,
);

/** `id`: for a line that may come again after a lost answer to COMMIT; it is kept once. */
export type AuditEntry = {
  readonly actor: AuditActor;
  readonly line: AuditLine;
  readonly id?: string;
};

/**
 * Appends lines in the caller's transaction: no effect without its record. What callers wrote is
 * cleaned: a character that Postgres refuses must not keep a line out of the log.
 */
export async function appendAudits(tx: Tx, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  const actors = entries.map(({ actor }) => describeActor(actor.principal));
  await tx.execute(appendSql, [
    entries.map(({ id }) => id ?? randomUUID()),
    actors.map(({ id }) => id),
    actors.map(({ role }) => role),
    entries.map(({ line }) => line.action),
    entries.map(({ line }) => stripUnstorable(line.target)),
    entries.map(({ line }) => line.result),
    entries.map(({ actor }) => stripUnstorable(actor.requestId)),
    entries.map(({ actor, line }) => JSON.stringify(detailsOf(actor.principal, line))),
  ]);
}

/** Appends one line in the caller's transaction. */
export const appendAudit = (tx: Tx, actor: AuditActor, line: AuditLine): Promise<void> =>
  appendAudits(tx, [{ actor, line }]);

/** How the log names an actor. */
export function describeActor(principal: AuditActor['principal']): {
  readonly id: string;
  readonly role: string;
} {
  return principal.kind === 'user'
    ? { id: principal.userId, role: principal.role }
    : { id: principal.kind, role: 'none' };
}

const detailsOf = (principal: AuditActor['principal'], line: AuditLine) => ({
  ...storableDetails(line),
  ...apiKeyOf(principal),
});

/** A line's own details, cleaned. */
export function storableDetails(line: AuditLine): Readonly<Record<string, string>> {
  const details: Record<string, string> = {};
  for (const [name, text] of Object.entries(line.details ?? {}))
    details[name] = stripUnstorable(text);
  return details;
}

/** The details that a line has of its actor. */
export function apiKeyOf(principal: AuditActor['principal']): Readonly<Record<string, string>> {
  const keyId = principal.kind === 'user' ? principal.apiKey?.keyId : undefined;
  return keyId === undefined ? {} : { apiKeyId: keyId };
}

export type AuditTrail = {
  /**
   * Resolves once the line is committed; lines that come together share a commit. `id`: for what is
   * kept once, however often it comes.
   */
  record(actor: AuditActor, line: AuditLine, id?: string): Promise<void>;
  /** Records a refusal for want of rights, in the background; floods are cut off. */
  recordDenial(actor: AuditActor, method: string, rejection: Rejection): void;
  /**
   * Records a denial if `exists` finds what was refused, as owned by another user. It is called
   * after the answer, and not for every guess of a flood.
   */
  recordForeign(
    actor: AuditActor,
    method: string,
    rejection: Rejection,
    exists: () => Promise<boolean>,
  ): void;
};

/** Denials of one caller in a minute that are recorded; the next line says that there were more. */
const maxDenialsPerMinute = 60;
const maxPending = 10_000;

type Pending = AuditEntry & { complete(err?: unknown): void };

/** Lines that belong to no other transaction: reads by staff, denials. */
export function createAuditTrail(options: { readonly db: Db; readonly log: Log }): AuditTrail {
  const { db, log } = options;
  const pending: Pending[] = [];
  let writing: Promise<void> | undefined;

  const write = async (): Promise<void> => {
    while (pending.length > 0) {
      const batch = pending.splice(0, 500);
      const failure = await db
        .tx((tx) => appendAudits(tx, batch))
        .catch((err: unknown) => ({ err }));
      if (failure && batch.length > 1 && classifyDbError(failure.err) === 'data') {
        await writeEach(batch);
        continue;
      }
      if (failure) log.warn({ ...failure, lines: batch.length }, 'no lines in the audit log');
      batch.forEach((entry) => entry.complete(failure?.err));
    }
    writing = undefined;
  };

  /** One line that cannot be stored does not keep the others out. */
  const writeEach = async (batch: readonly Pending[]): Promise<void> => {
    for (const entry of batch) {
      await db.tx((tx) => appendAudits(tx, [entry])).then(() => entry.complete(), entry.complete);
    }
  };

  const record = (actor: AuditActor, line: AuditLine, id?: string): Promise<void> =>
    new Promise((resolve, reject) => {
      if (pending.length >= maxPending) {
        reject(new Error('too many lines wait for the audit log'));
        return;
      }
      const complete = (err?: unknown): void => {
        if (err === undefined) resolve();
        else reject(err instanceof Error ? err : new Error('no line in the audit log'));
      };
      pending.push({ actor, line, ...(id === undefined ? {} : { id }), complete });
      writing ??= new Promise<void>((begin) => setImmediate(begin)).then(write);
    });

  const denials = createMinuteCounter();
  const recordDenial = (actor: AuditActor, method: string, rejection: Rejection): void => {
    const { id } = describeActor(actor.principal);
    const count = denials.count(id);
    if (count > maxDenialsPerMinute + 1) return;
    const isLast = count > maxDenialsPerMinute;
    if (isLast) log.warn({ actor: id, method }, manyDenials);
    const { target, details = {} } = rejection.denied ?? { target: findTarget(rejection) };
    const line = isLast
      ? { target: '', result: 'MANY_DENIALS', details: { note: manyDenials } }
      : { target, result: rejection.reason, details };
    record(actor, { action: `denied ${method}`, ...line }).catch((err: unknown) =>
      log.error({ err, actor: id, method }, 'a denial was not recorded'),
    );
  };
  return { record, recordDenial, recordForeign: createDenialReport({ recordDenial, log }) };
}

const manyDenials = 'many denials: the rest of this minute is not recorded';

/** The id of what was reached for, as the refusal names it. */
function findTarget({ metadata }: Rejection): string {
  const name = targetNames.find((key) => metadata[key] !== undefined);
  return (name === undefined ? undefined : metadata[name]) ?? '';
}

const targetNames = [
  ...['userId', 'exportId', 'transactionId', 'parentId', 'holdId', 'sessionId', 'apiKeyId'],
];
