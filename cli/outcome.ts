import type { Reason } from '../core/reasons.ts';
import { suggest } from '../lib/suggest.ts';

/** What the process ends with; docs/cli.md explains each. */
export const exitCodes = {
  done: 0,
  unexpected: 1,
  usage: 2,
  rowsFailed: 3,
  signInNeeded: 4,
  notFound: 5,
  refused: 6,
  unavailable: 7,
  notAllowed: 8,
  outcomeUnknown: 9,
  statementNotComplete: 10,
  interrupted: 130,
} as const;

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Why a command failed without the server's having said so. */
export const cliReasons = {
  USAGE: exitCodes.usage,
  INVALID_OPTION: exitCodes.usage,
  CONFIG_INVALID: exitCodes.usage,
  PLAINTEXT_REFUSED: exitCodes.usage,
  CONFIRMATION_REQUIRED: exitCodes.usage,
  ID_AMBIGUOUS: exitCodes.usage,
  DECLINED: exitCodes.interrupted,
  INTERRUPTED: exitCodes.interrupted,
  SIGN_IN_REQUIRED: exitCodes.signInNeeded,
  KEYCHAIN_UNAVAILABLE: exitCodes.signInNeeded,
  KEYCHAIN_LOCKED: exitCodes.signInNeeded,
  CREDENTIAL_FILE_UNSAFE: exitCodes.signInNeeded,
  ACCOUNT_CHANGED: exitCodes.signInNeeded,
  PROFILE_NOT_FOUND: exitCodes.notFound,
  UNREACHABLE: exitCodes.unavailable,
  CONNECTION_LOST: exitCodes.unavailable,
  LOCK_BUSY: exitCodes.unavailable,
  STORAGE_UNAVAILABLE: exitCodes.unavailable,
  REFUSED: exitCodes.refused,
  LOCK_LOST: exitCodes.outcomeUnknown,
  STATEMENT_MISMATCH: exitCodes.unexpected,
  PROOF_MISMATCH: exitCodes.statementNotComplete,
  PROOF_KEY_UNKNOWN: exitCodes.statementNotComplete,
  OUTPUT_FAILED: exitCodes.unexpected,
  UNEXPECTED: exitCodes.unexpected,
} as const satisfies Record<string, ExitCode>;

export type CliReason = keyof typeof cliReasons;

/**
 * An expected failure, ready to be printed: what and why, what to do next, and how the process
 * ends.
 */
export type CliFailure = {
  readonly reason: Reason | CliReason;
  readonly message: string;
  readonly exitCode: ExitCode;
  /** The next command, or what else to do. */
  readonly hint?: string;
  readonly requestId?: string;
  /** The argument, option or request field that is wrong. */
  readonly field?: string;
  /** The file or folder of our own that cannot be used. */
  readonly path?: string;
  /** The server's word for a refusal that this version has no reason for. */
  readonly serverReason?: string;
};

export type Failed = { readonly ok: false; readonly failure: CliFailure };
export type Outcome<T> = { readonly ok: true; readonly value: T } | Failed;

/** What a command's run function answers: how the process ends, or why not. */
export type CommandOutcome = Outcome<ExitCode>;

export const succeed = <T>(value: T): Outcome<T> => ({ ok: true, value });

export const done: CommandOutcome = { ok: true, value: exitCodes.done };

type Details = { readonly hint?: string; readonly field?: string };

/** A failure of the command line's own. */
export const fail = (reason: CliReason, message: string, details: Details = {}): Failed => ({
  ok: false,
  failure: { reason, message, exitCode: cliReasons[reason], ...details },
});

/** A value that cannot be used, found before anything was sent. */
export const failUsage = (field: string, message: string, hint?: string): Failed =>
  fail('USAGE', message, hint === undefined ? { field } : { field, hint });

/** A value that is none of the known ones, with the one that was probably meant. */
export const failUnknown = (field: string, text: string, known: readonly string[]): Failed =>
  failUsage(
    field,
    `${JSON.stringify(text)} is not one of ${known.join(', ')}`,
    suggest(text, known),
  );
