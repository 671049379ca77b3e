import { exitCodes } from '../../outcome.ts';

/** What each exit code means, for the help. */
const meanings = {
  done: 'done; also if the reader of stdout has closed it, as in `| head -1`',
  unexpected: 'unexpected, or output that cannot be written',
  usage: 'usage, configuration, or a request that the server calls invalid',
  rowsFailed: 'some rows of a batch failed; the others are done',
  signInNeeded: 'sign-in needed, and why',
  notFound: 'not found',
  refused: 'refused by the ledger: funds, already undone, key reused, frozen and others',
  unavailable: 'unavailable or throttled, and certainly not done',
  notAllowed: 'not allowed',
  outcomeUnknown: 'outcome unknown: run the same command again, nothing is done twice',
  statementNotComplete:
    'a statement or an export is queued, incomplete, inconsistent or not proved',
  interrupted: 'interrupted or declined',
} as const satisfies Record<keyof typeof exitCodes, string>;

/** `wallet help exit-codes` */
export function describeExitCodes(): string {
  const names = Object.keys(exitCodes) as (keyof typeof exitCodes)[];
  const lines = names.map((name) => `  ${String(exitCodes[name]).padStart(3)}  ${meanings[name]}`);
  return `Exit codes of wallet:

${lines.join('\n')}

After 7 nothing was done. After 9 the command may have been done: the same command run again
continues under the same idempotency key, and says what happened.`;
}
