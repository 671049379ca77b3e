import { createHash, createHmac } from 'node:crypto';

import { sql, type Tx } from '../../platform/db/db.ts';
import { canonicalizeCode, codeLifeMs, formatCode, type CodePurpose } from '../domain.ts';
import { withdrawMails } from './store.ts';

/**
 * Gives the code of a mail: always the same for the same mail, so that a second try sends the same
 * text, and the database never holds a code.
 */
export type CodeMaker = (mailId: string) => string;

export function createCodeMaker(secret: Buffer): CodeMaker {
  return (mailId) =>
    formatCode(createHmac('sha256', secret).update(mailId).digest().subarray(0, 15));
}

const hashCode = (code: string): Buffer => createHash('sha256').update(code).digest();

/** What the database has of a code as it was typed; undefined if it cannot be one. */
export function hashTypedCode(text: string): Buffer | undefined {
  const code = canonicalizeCode(text);
  return code === undefined ? undefined : hashCode(code);
}

const inMs = (parameter: string): string =>
  `clock_timestamp() + ${parameter}::integer * interval '1 millisecond'`;

const keepSql = sql(
  'code_keep',
  `INSERT INTO mailed_codes (code_hash, mail_id, purpose, subject, expires_at)
   VALUES ($1, $2, $3, $4, ${inMs('$5')})
   ON CONFLICT (code_hash) DO UPDATE SET expires_at = EXCLUDED.expires_at`,
);

/** Makes a code work from now on; its mail is locked by the caller. */
export async function keepCode(
  tx: Tx,
  code: {
    readonly text: string;
    readonly mailId: string;
    readonly purpose: CodePurpose;
    readonly subject: string;
  },
): Promise<void> {
  const { text, mailId, purpose, subject } = code;
  await tx.execute(keepSql, [hashCode(text), mailId, purpose, subject, codeLifeMs[purpose]]);
}

/** A code whose end is further away than its life is long is void: the clock was set back. */
const isValid = (purpose: string, lifeMs: string): string =>
  `purpose = ${purpose} AND expires_at > clock_timestamp() AND expires_at <= ${inMs(lifeMs)}`;

const guessSql = sql(
  'code_guess',
  `UPDATE mailed_codes SET guesses = guesses + 1
   WHERE code_hash = $1 AND ${isValid('$2', '$3')} AND guesses < $4 RETURNING subject`,
);

const validSql = sql(
  'code_valid',
  `SELECT 1 FROM mailed_codes
   WHERE code_hash = $1 AND ${isValid('$2', '$3')} AND subject = $4`,
);

/**
 * Whether a code works for this now. Reads nothing else, so that its time reveals nothing else.
 */
export async function isCodeValid(
  tx: Tx,
  codeHash: Buffer,
  purpose: CodePurpose,
  subject: string,
): Promise<boolean> {
  const values = [codeHash, purpose, codeLifeMs[purpose], subject];
  return (await tx.query(validSql, values)).length > 0;
}

const pastBoundSql = sql(
  'code_past_bound',
  `SELECT 1 FROM mailed_codes
   WHERE code_hash = $1 AND purpose = $2 AND expires_at > ${inMs('$3')}`,
);

/** Whether a code is void because it was made while the clock was ahead. */
export async function isCodePastBound(
  tx: Tx,
  codeHash: Buffer,
  purpose: CodePurpose,
): Promise<boolean> {
  return (await tx.query(pastBoundSql, [codeHash, purpose, codeLifeMs[purpose]])).length > 0;
}

/** Counts a use of a code that needs a secret besides, before that is checked. What it is for. */
export async function takeGuess(
  tx: Tx,
  codeHash: Buffer,
  purpose: CodePurpose,
  maxGuesses: number,
): Promise<string | undefined> {
  const values = [codeHash, purpose, codeLifeMs[purpose], maxGuesses];
  return (await tx.query<{ subject: string }>(guessSql, values))[0]?.subject;
}

const returnSql = sql(
  'code_guess_return',
  'UPDATE mailed_codes SET guesses = guesses - 1 WHERE code_hash = $1 AND guesses > 0',
);

/** Takes a guess back that was not checked. */
export async function returnGuess(tx: Tx, codeHash: Buffer): Promise<void> {
  await tx.execute(returnSql, [codeHash]);
}

const findSql = sql('code_find', 'SELECT mail_id FROM mailed_codes WHERE code_hash = $1');
const takeSql = sql(
  'code_take',
  `DELETE FROM mailed_codes WHERE code_hash = $1 AND ${isValid('$2', '$3')} AND subject = $4`,
);

/**
 * Uses a code up; false if it does not work for this. Its mail goes first: the sender locks the
 * mail before the code, and a mail that were tried again would bring the code back.
 */
export async function takeCode(
  tx: Tx,
  codeHash: Buffer,
  purpose: CodePurpose,
  subject: string,
): Promise<boolean> {
  const rows = await tx.query<{ mail_id: string }>(findSql, [codeHash]);
  const values = [codeHash, purpose, codeLifeMs[purpose], subject];
  await withdrawMails(
    tx,
    rows.map((row) => row.mail_id),
  );
  return (await tx.execute(takeSql, values)) > 0;
}

const ofSubjectSql = sql(
  'code_of_subject',
  'SELECT mail_id FROM mailed_codes WHERE subject = $1 AND purpose = $2',
);
const dropSql = sql('code_drop', 'DELETE FROM mailed_codes WHERE subject = $1 AND purpose = $2');

/** Makes void all codes of a purpose for an address, or for a change of address. */
export async function dropCodes(tx: Tx, purpose: CodePurpose, subject: string): Promise<void> {
  const rows = await tx.query<{ mail_id: string }>(ofSubjectSql, [subject, purpose]);
  await withdrawMails(
    tx,
    rows.map((row) => row.mail_id),
  );
  await tx.execute(dropSql, [subject, purpose]);
}

const pruneSql = sql(
  'code_prune',
  `DELETE FROM mailed_codes WHERE code_hash IN (
     SELECT code_hash FROM mailed_codes WHERE expires_at < (SELECT clock_timestamp())
     LIMIT $1 FOR UPDATE SKIP LOCKED)`,
);

/** Forgets codes past their end: at most `limit` rows, and how many those were. */
export async function pruneCodes(tx: Tx, limit: number): Promise<number> {
  return tx.execute(pruneSql, [limit]);
}
