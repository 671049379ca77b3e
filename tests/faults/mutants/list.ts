import { eventMutants } from './event-mutants.ts';
import { holdMutants } from './hold-mutants.ts';
import { ledgerMutants } from './ledger-mutants.ts';
import { pairMutants } from './pair-mutants.ts';
import type { Mutant } from './planted.ts';

export const mutants: readonly Mutant[] = [
  ...ledgerMutants,
  ...pairMutants,
  ...holdMutants,
  ...eventMutants,
];
