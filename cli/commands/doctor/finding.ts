import type { Failed } from '../../outcome.ts';

export type FindingState = 'ok' | 'warning' | 'problem' | 'skipped';

export type ServiceName = 'auth' | 'wallet' | 'statement';

/** One line of the report. */
export type Finding = {
  /** What was looked at; stable, for scripts. */
  readonly check: string;
  readonly state: FindingState;
  readonly message: string;
  /** The command that fixes it, or what else to do. */
  readonly fix?: string;
  /** The values of the message, for scripts. */
  readonly details?: Readonly<Record<string, string | number | boolean | null>>;
};

type More = Pick<Finding, 'fix' | 'details'>;

const make =
  (state: FindingState) =>
  (check: string, message: string, more: More = {}): Finding => ({
    ...{ check, state, message },
    ...more,
  });

export const ok = make('ok');
export const warning = make('warning');
export const problem = make('problem');
/** What could not be checked, and why. */
export const skipped = make('skipped');

/** A failure of the command line's own, or of a call, as a problem. */
export const toProblem = (check: string, { failure }: Failed): Finding =>
  problem(check, failure.message, {
    ...(failure.hint === undefined ? {} : { fix: failure.hint }),
    details: { reason: failure.reason },
  });
