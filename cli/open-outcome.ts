import { exitCodes, type CliFailure } from './failures.ts';

/**
 * Tells of a failure that comes after an attempt of unknown outcome, and does not end that doubt
 * (core/doubt.ts): whatever it says of itself, the outcome stays unknown.
 */
export const toUnknownOutcome = (failure: CliFailure): CliFailure => ({
  ...failure,
  reason: 'OUTCOME_UNKNOWN',
  message: `${failure.message}; an earlier attempt may have got through`,
  exitCode: exitCodes.outcomeUnknown,
});

/** The same before anything is sent: what is wrong with this run, or was declined, stays as it is. */
export const toOpenFailure = (failure: CliFailure): CliFailure =>
  failure.exitCode === exitCodes.unavailable ? toUnknownOutcome(failure) : failure;
