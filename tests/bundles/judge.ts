import { checkRows } from '../faults/checkers/check-all.ts';
import { formatViolation } from '../faults/checkers/violation.ts';
import type { Asked } from './asked.ts';
import { judgeDecisions } from './judge-decisions.ts';
import { judgeHeard } from './judge-heard.ts';
import { judgeLetters } from './judge-letters.ts';
import type { Observed } from './observed.ts';

export type Judged = {
  readonly violations: readonly string[];
  readonly facts: Readonly<Record<string, number>>;
};

/** Compares what was asked with all that is there in the end. */
export function judge(asked: Asked, observed: Observed): Judged {
  const { messages, refusals, violations } = judgeDecisions(asked, observed);
  const heard = judgeHeard(asked, observed);
  const poison = asked.steps.flatMap((step) => (step.kind === 'poison' ? [step.poison] : []));
  return {
    violations: [
      ...violations,
      ...checkRows(observed).map(formatViolation),
      ...heard.violations,
      ...judgeLetters(poison, asked.bundledPoison, observed.letters),
    ],
    facts: {
      'messages accepted': messages,
      'messages refused': refusals,
      'calls accepted': asked.called.filter(({ seq }) => seq !== undefined).length,
      'calls refused': asked.called.filter(({ seq }) => seq === undefined).length,
      entries: observed.entries.length,
      lines: observed.lines.length,
      'dead letters': observed.letters.length,
      ...heard.facts,
    },
  };
}
