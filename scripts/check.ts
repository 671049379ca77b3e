import { spawn } from 'node:child_process';

// `npm run check`: everything that reads the code without running it, side by side; each one's
// output in one block, and the exit code 1 if any fails.
const checks: readonly (readonly [name: string, command: string])[] = [
  ['eslint', 'eslint . --max-warnings 0'],
  ['tsc', 'tsc -p .'],
  ['prettier', 'prettier --check --log-level warn .'],
  [
    'dependency-cruiser',
    'depcruise --config .dependency-cruiser.js cli client core daemon lib protos scripts tests',
  ],
  ['knip', 'knip'],
  ['buf', 'buf lint'],
  ['openapi', 'tsx scripts/openapi.ts --check'],
  ['client types', 'tsx scripts/client-types.ts --check'],
];

function run(command: string): Promise<{ readonly code: number | null; readonly output: string }> {
  return new Promise((resolve, reject) => {
    // npm has put node_modules/.bin on the path.
    const child = spawn(command, { shell: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const output: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => output.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => output.push(chunk));
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output: Buffer.concat(output).toString() }));
  });
}

const startedAtMs = Date.now();

async function check(name: string, command: string): Promise<void> {
  const { code, output } = await run(command);
  const seconds = ((Date.now() - startedAtMs) / 1_000).toFixed(0);
  console.log(`${code === 0 ? 'ok' : 'FAILED'}  ${name}, after ${seconds} s`);
  if (code === 0) return;
  console.log(output);
  process.exitCode = 1;
}

// It writes what the others read.
await check('generated code', 'tsx scripts/gen-check.ts');
await Promise.all(checks.map(([name, command]) => check(name, command)));
