import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';

import { Stryker } from '@stryker-mutator/core';

import { areas } from './areas.ts';
import { runPlanted } from './planted/run.ts';

// `npm run test:mutation -- money wallet`: changes the code of these areas (areas.ts) in one place
// at a time, runs their tests, and names each change that no test finds. Without names: all areas.
// `--planted` plants the defects of planted/ instead, which need Postgres or several files.

const leastScore = 85;
const caught: ReadonlySet<string> = new Set(['Killed', 'Timeout', 'RuntimeError', 'CompileError']);

type Mutants = Awaited<ReturnType<Stryker['runMutationTest']>>;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { planted: { type: 'boolean', default: false } },
});

async function mutate(name: string): Promise<Mutants> {
  process.env['MUTATION_AREA'] = name;
  const folder = await mkdtemp(join(tmpdir(), 'wallet-mutation-'));
  try {
    const stryker = new Stryker({
      testRunner: 'vitest',
      plugins: ['@stryker-mutator/vitest-runner'],
      vitest: { configFile: 'tests/mutation/vitest.config.ts', related: false },
      mutate: [...(areas[name]?.mutate ?? []), '!**/*.test.ts', '!**/test-support.ts'],
      // A reason or a key that is changed is no valid program; the text of a message is no promise.
      mutator: { excludedMutations: ['StringLiteral'] },
      coverageAnalysis: 'perTest',
      concurrency: 1,
      timeoutMS: 20_000,
      reporters: ['progress-append-only'],
      logLevel: 'error' as never,
      tempDirName: folder,
      ignorePatterns: ['dist', 'docs/images', 'bench', '.git'],
    });
    return await stryker.runMutationTest();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The changes of one area that no test has found, and its score in per cent. */
function report(name: string, mutants: Mutants): number {
  const counted = mutants.filter(({ status }) => status !== 'Ignored');
  const left = counted.filter(({ status }) => !caught.has(status));
  for (const { fileName, location, mutatorName, replacement, status } of left) {
    const place = `${relative(process.cwd(), fileName)}:${location.start.line}`;
    console.log(`  ${status} ${place}:${location.start.column} ${mutatorName} ${replacement}`);
  }
  const score = (100 * (counted.length - left.length)) / counted.length;
  console.log(
    `${name}: ${counted.length} mutants, ${left.length} not caught, score ${score.toFixed(1)} %`,
  );
  return score;
}

if (values.planted) process.exit(runPlanted(positionals));
const names = positionals.length > 0 ? positionals : Object.keys(areas);
const unknown = names.filter((name) => !areas[name]);
if (unknown.length > 0) {
  console.error(`${unknown.join(', ')}: no such area; there are ${Object.keys(areas).join(', ')}`);
  process.exit(2);
}
const scores: number[] = [];
for (const name of names) scores.push(report(name, await mutate(name)));
const low = scores.filter((score) => score < leastScore).length;
console.log(`areas below ${leastScore} %: ${low}`);
process.exit(low === 0 ? 0 : 1);
