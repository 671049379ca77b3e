import { spawn } from 'node:child_process';
import { readFileSync, statfsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { ensureTestServices } from './test-services.ts';

// `npm test`: brings what the tests need besides npm's packages, builds, runs everything, and ends
// with the line `N passed, N failed`. Arguments go to vitest. Folders of tests are in memory if
// there is enough of it, and TMPDIR names no other place.

const memoryFolder = '/dev/shm';
const neededBytes = 8 * 1024 ** 3;

/** Hundreds of databases are made, and each of their commits is flushed. */
function isMemoryFolderUsable(): boolean {
  try {
    const mount = readFileSync('/proc/mounts', 'utf8')
      .split('\n')
      .map((line) => line.split(' '))
      .find(([, place]) => place === memoryFolder);
    const { bavail, bsize } = statfsSync(memoryFolder);
    // Tests run programs that they have put there.
    const mayRun = mount !== undefined && !mount[3]?.split(',').includes('noexec');
    return mayRun && bavail * bsize >= neededBytes;
  } catch {
    return false;
  }
}

ensureTestServices();
if (isMemoryFolderUsable()) process.env['TMPDIR'] ??= memoryFolder;
await import('./build.ts');
const folder = await mkdtemp(join(tmpdir(), 'dw-report-'));
try {
  const report = join(folder, 'report.json');
  const code = await runVitest(report, process.argv.slice(2));
  const {
    numPassedTests: passed,
    numFailedTests: failed,
    numPendingTests: pending,
  } = JSON.parse(await readFile(report, 'utf8')) as Record<string, number>;
  console.log(`${String(passed)} passed, ${String(failed)} failed`);
  if (pending) console.error(`${pending} tests were skipped: a test that does not run is a defect`);
  process.exitCode = code === 0 && !pending ? 0 : 1;
} finally {
  await rm(folder, { recursive: true, force: true });
}

function runVitest(report: string, args: readonly string[]): Promise<number> {
  const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json'];
  const child = spawn(process.execPath, [...vitest, `--outputFile.json=${report}`, ...args], {
    stdio: 'inherit',
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
