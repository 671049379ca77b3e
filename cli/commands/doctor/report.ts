import type { Context } from '../../context.ts';
import { createListPrinter } from '../../output/list-printer.ts';
import type { Column } from '../../output/print.ts';
import { repeatGiven } from '../../terminal/hints.ts';
import { toPlainLine } from '../../terminal/plain.ts';
import { paintFor } from '../../terminal/reporter.ts';
import type { Finding, FindingState } from './finding.ts';
import { wrapWords } from './wrap-words.ts';

export type Report = {
  add(findings: readonly Finding[]): Promise<void>;
  /** True if there was a problem. */
  end(): Promise<boolean>;
};

const states: readonly FindingState[] = ['problem', 'warning', 'skipped', 'ok'];
const checkWidth = 'statement letters'.length;

const columns: readonly Column<Finding>[] = [
  { header: 'check', value: ({ check }) => check },
  { header: 'state', value: ({ state }) => state },
  { header: 'message', value: ({ message }) => message, isText: true },
  { header: 'fix', value: ({ fix }) => fix, isText: true },
];

/** Prints findings as they come; a list in JSON, with the worst state beside it. */
export function openReport(context: Context): Report {
  const counts: Record<FindingState, number> = { problem: 0, warning: 0, skipped: 0, ok: 0 };
  const view = { columns, isWide: false, areChosen: false };
  const list = createListPrinter(context, view, (finding) => finding);
  const isTable = context.manner.output === 'table';
  return {
    add: async (given) => {
      const findings = given.map((finding) => withOptions(finding, context));
      for (const { state } of findings) counts[state] += 1;
      if (!isTable) return list.add(findings);
      await context.io.stdout.write(findings.map((one) => formatFinding(one, context)).join(''));
    },
    end: async () => {
      const state = counts.problem > 0 ? 'problem' : counts.warning > 0 ? 'warning' : 'ok';
      if (!isTable) await list.end(undefined, '', { state });
      else await context.io.stdout.write(`\n${summarize(counts)}\n`);
      return counts.problem > 0;
    },
  };
}

/** The commands that fix something repeat the options that decided where this one went. */
const withOptions = (finding: Finding, { manner }: Context): Finding =>
  finding.fix === undefined ? finding : { ...finding, fix: repeatGiven(finding.fix, manner.given) };

function formatFinding({ check, state, message, fix }: Finding, context: Context): string {
  const { stdout } = context.io;
  const chalk = paintFor(stdout, context.manner);
  const paint = {
    ...{ ok: chalk.green, warning: chalk.yellow, problem: chalk.red, skipped: chalk.dim },
  }[state];
  const lines = [toPlainLine(message), ...(fix === undefined ? [] : [`fix: ${toPlainLine(fix)}`])];
  const width = stdout.columns ?? Infinity;
  // A narrow terminal has the texts below their titles.
  const isNarrow = width < 60;
  const indent = ' '.repeat(isNarrow ? 2 : 'problem'.length + 2 + checkWidth + 2);
  const title = `${paint(state.padEnd('problem'.length))}  ${check.padEnd(checkWidth)}`;
  const texts = lines.flatMap((line) => wrapWords(line, width - indent.length));
  if (isNarrow) return [title.trimEnd(), ...texts.map((text) => indent + text), ''].join('\n');
  const [first = '', ...rest] = texts;
  return [`${title}  ${first}`, ...rest.map((text) => indent + text), ''].join('\n');
}

function summarize(counts: Readonly<Record<FindingState, number>>): string {
  const nouns: Readonly<Record<FindingState, readonly [string, string]>> = {
    problem: ['problem', 'problems'],
    warning: ['warning', 'warnings'],
    skipped: ['check skipped', 'checks skipped'],
    ok: ['check ok', 'checks ok'],
  };
  const parts = states
    .filter((state) => counts[state] > 0 || state === 'problem')
    .map((state) => `${counts[state]} ${nouns[state][counts[state] === 1 ? 0 : 1]}`);
  return parts.join(', ');
}
