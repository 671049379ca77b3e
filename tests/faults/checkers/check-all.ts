import type { FinalRows } from '../../support/ledger/final-rows.ts';
import { withHeardAnswers } from '../record/heard-answers.ts';
import type { History } from '../record/history.ts';
import { createRunRecord } from '../record/record.ts';
import { checkAnsweredOnce } from './answered-once.ts';
import { checkAvailability } from './availability.ts';
import { checkBalances } from './balances.ts';
import { checkConservation } from './conservation.ts';
import { checkDuplicates, checkRepeats } from './duplicates.ts';
import { checkFloors } from './floors.ts';
import { checkHashChain } from './hash-chain.ts';
import { checkGroups } from './holds/groups.ts';
import { checkHolds } from './holds/holds.ts';
import { checkLimits } from './holds/limits.ts';
import { checkLinearizability } from './linearizability/check.ts';
import { checkEvents, checkLines } from './projections.ts';
import { checkRealTime } from './real-time.ts';
import { checkRefusals } from './refusals.ts';
import { checkReports } from './reports.ts';
import { checkRetries } from './retries.ts';
import { checkSequences } from './sequences.ts';
import { checkSilence } from './silence.ts';
import { checkUndos } from './undos.ts';
import type { Checker, Violation } from './violation.ts';

/** Of what the databases hold, whatever was asked for. */
const rowCheckers: readonly Checker[] = [
  checkConservation,
  checkFloors,
  checkBalances,
  checkSequences,
  checkHashChain,
  checkUndos,
  checkHolds,
  checkLimits,
  checkLines,
];

/** All checkers, in the order of their output; README.md says which promise each one checks. */
const checkers: readonly Checker[] = [
  ...rowCheckers,
  checkAnsweredOnce,
  checkGroups,
  checkDuplicates,
  checkRetries,
  checkRefusals,
  checkLinearizability,
  checkRealTime,
  checkEvents,
  checkRepeats,
  checkReports,
  checkAvailability,
  checkSilence,
];

/** Every violation of a run, from what was recorded and what its databases hold in the end. */
export function checkAll(recorded: History, rows: FinalRows): readonly Violation[] {
  const history = withHeardAnswers(recorded);
  return checkers.flatMap((check) => check(history, rows));
}

/** What is wrong with the rows by themselves. */
export function checkRows(rows: FinalRows): readonly Violation[] {
  const nothing = createRunRecord().history();
  return rowCheckers.flatMap((check) => check(nothing, rows));
}
