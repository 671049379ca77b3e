import { formatViolation, type Violation } from '../checkers/violation.ts';
import { buildMutant, removeMutants } from './build.ts';
import { mutants } from './list.ts';
import type { Mutant } from './planted.ts';
import { scenarios, type ScenarioName } from './scenarios/index.ts';
import { createStages, type Stages } from './stage.ts';

type MutantRunOptions = {
  /** Names of mutants; none means all. */
  readonly only: readonly string[];
  readonly say: (line: string) => void;
};

export type MutantRun = {
  readonly caught: number;
  readonly planted: number;
  /** Scenarios that the product as it is does not pass. */
  readonly failed: number;
};

/**
 * Runs each planted defect through its scenario, and before it the product as it is: only where
 * that one passes does a violation prove that the defect was found.
 */
export async function runMutants({ only, say }: MutantRunOptions): Promise<MutantRun> {
  const chosen = mutants.filter(({ name }) => only.length === 0 || only.includes(name));
  const names = [...new Set(chosen.map(({ scenario }) => scenario))];
  const stages = await createStages();
  const beganAtMs = performance.now();
  const saySince = (line: string): void =>
    say(`${((performance.now() - beganAtMs) / 1_000).toFixed(0).padStart(4)} s  ${line}`);
  let caught = 0;
  let failed = 0;
  try {
    for (const scenario of names) {
      const found = await stages.run(scenarios[scenario], {});
      saySince(`unchanged build, ${scenario}: ${describe(found)}`);
      if (found.length > 0) failed += 1;
      const passed = found.length === 0;
      for (const mutant of chosen.filter((each) => each.scenario === scenario)) {
        const checkers = await findCheckers(stages, mutant, scenario, saySince);
        if (passed && checkers.length > 0) caught += 1;
      }
    }
  } finally {
    await stages.dispose();
    await removeMutants();
  }
  return { caught, planted: chosen.length, failed };
}

/** The checkers that find the defect. */
async function findCheckers(
  stages: Stages,
  mutant: Mutant,
  scenario: ScenarioName,
  say: (line: string) => void,
): Promise<readonly string[]> {
  const program = await buildMutant(mutant);
  const found = await stages.run(scenarios[scenario], { program, schema: mutant.schema });
  const checkers = [...new Set(found.map(({ checker }) => checker))];
  const how = checkers.length > 0 ? `caught by ${checkers.join(', ')}` : 'NOT CAUGHT';
  say(`${mutant.name} (${scenario}): ${how}`);
  const [first] = found;
  if (first) say(`  ${formatViolation(first).slice(0, 240)}`);
  return checkers;
}

const maxShown = 5;

const describe = (found: readonly Violation[]): string =>
  found.length === 0
    ? 'no violation'
    : `${found.length} VIOLATIONS: ${found.slice(0, maxShown).map(formatViolation).join(' | ')}`;
