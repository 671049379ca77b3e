import type { History } from '../record/history.ts';
import { checkBalances } from './balances.ts';
import { checkConservation } from './conservation.ts';
import type { FinalRows } from './final-rows.ts';
import { checkFloors } from './floors.ts';
import { checkHashChain } from './hash-chain.ts';
import { checkSequences } from './sequences.ts';
import type { Checker, Violation } from './violation.ts';

/** All checkers, in the order of their output; README.md says which promise each one checks. */
export const checkers: readonly Checker[] = [
  checkConservation,
  checkFloors,
  checkBalances,
  checkSequences,
  checkHashChain,
];

/** Every violation of a run, from what was recorded and what its databases hold in the end. */
export function checkAll(history: History, rows: FinalRows): readonly Violation[] {
  return checkers.flatMap((check) => check(history, rows));
}
