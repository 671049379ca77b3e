import { exitCodes, type CliFailure } from '../outcome.ts';

/**
 * A failure after an attempt of unknown outcome that does not resolve it (core/in-doubt.ts):
 * whatever its own reason, the outcome stays unknown.
 */
export const toUnknownOutcome = (failure: CliFailure): CliFailure => ({
  ...failure,
  reason: 'OUTCOME_UNKNOWN',
  message: `${failure.message}; an earlier attempt may have succeeded`,
  exitCode: exitCodes.outcomeUnknown,
});

/**
 * The same before anything is sent: what is wrong with this run, or was declined, stays as it is.
 */
export const toOpenFailure = (failure: CliFailure): CliFailure =>
  failure.exitCode === exitCodes.unavailable ? toUnknownOutcome(failure) : failure;
