import type { Checker, Violation } from '../checkers/violation.ts';

/** INTERNAL is the answer to a defect, and to nothing else. */
export const checkInternal: Checker = ({ attempts, balances, statements }) => {
  const answers = [
    ...attempts.map(({ command, outcome }) => ({ walletId: command.walletId, answer: outcome })),
    ...balances,
    ...statements,
  ];
  return answers.flatMap(({ walletId, answer }): readonly Violation[] =>
    answer?.kind === 'unknown' && answer.reason === 'INTERNAL'
      ? [{ checker: 'INTERNAL', walletId, what: 'a request was answered so' }]
      : [],
  );
};

/** A daemon may not meet anything that it did not expect. */
export function checkLog(daemon: string, log: string): readonly Violation[] {
  const isBad = /"level":"(error|fatal)"|unexpected error|[Uu]ncaught|Unhandled/;
  return log
    .split('\n')
    .filter((line) => isBad.test(line))
    .map((line) => ({ checker: 'log', what: `${daemon}: ${line.slice(0, 300)}` }));
}
