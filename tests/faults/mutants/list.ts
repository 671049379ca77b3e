import { eventMutants } from './event-mutants.ts';
import { ledgerMutants } from './ledger-mutants.ts';
import type { Mutant } from './planted.ts';

export const mutants: readonly Mutant[] = [...ledgerMutants, ...eventMutants];
