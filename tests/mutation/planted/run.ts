import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ensureTestServices } from '../../../scripts/test-services.ts';
import { defects } from './defects.ts';

type Report = {
  readonly testResults: readonly {
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly title: string }[];
  }[];
};

/** The title of the test that finds a defect; undefined if none does. */
function findCatcher(name: string): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'wallet-planted-'));
  const output = join(folder, 'report.json');
  try {
    const config = 'tests/mutation/planted/vitest.config.ts';
    const args = ['vitest', 'run', '--config', config, '--reporter=json', '--outputFile', output];
    const env = { ...process.env, PLANTED_DEFECT: name };
    const { stderr } = spawnSync('npx', args, { env, encoding: 'utf8' });
    if (stderr.includes('has the text')) throw new Error(`${name}: ${stderr}`);
    const { testResults } = JSON.parse(readFileSync(output, 'utf8')) as Report;
    for (const { message, assertionResults } of testResults) {
      if (message.includes('has the text')) throw new Error(`${name}: ${message}`);
      const failed = assertionResults.find(({ status }) => status === 'failed');
      if (failed) return failed.title;
    }
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Plants each of the named defects (all, if none is named) by itself, runs its tests, and prints
 * which test has found it. Gives the exit code: 1 unless all are found.
 */
export function runPlanted(names: readonly string[]): number {
  ensureTestServices();
  const chosen = Object.keys(defects).filter(
    (name) => names.length === 0 || names.some((part) => name.includes(part)),
  );
  let caught = 0;
  for (const name of chosen) {
    const catcher = findCatcher(name);
    if (catcher !== undefined) caught += 1;
    console.log(`${catcher === undefined ? 'NOT CAUGHT' : 'caught'}  ${name}`);
    if (catcher !== undefined) console.log(`        by: ${catcher}`);
  }
  console.log(`planted defects caught: ${caught}/${chosen.length}`);
  return caught === chosen.length ? 0 : 1;
}
