import { spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, afterEach, describe, expect, it } from 'vitest';

import packageJson from '../../../package.json' with { type: 'json' };
import { runWalletd, type Finished } from '../../../scripts/product.ts';
import { expectExplained } from '../../support/processes/explained.ts';
import { endServer, runProcess, waitFor, walletdFile } from '../../support/processes/process.ts';
import { expectCode, password } from '../../support/processes/world.ts';

const folder = mkdtempSync(join(tmpdir(), 'dw-folder-'));
// The user of Postgres passes through it.
chmodSync(folder, 0o755);
const started: string[] = [];
afterEach(async () => {
  for (const dataDir of started.splice(0)) await endServer(dataDir);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const envOf = (dataDir: string) => ({
  PATH: process.env['PATH'] ?? '',
  WALLETD_USER: 'root',
  WALLETD_LISTEN: '127.0.0.1:0',
  WALLETD_METRICS_LISTEN: 'off',
  WALLETD_HTTP_LISTEN: 'off',
  WALLETD_DATA_DIR: dataDir,
});
const run = (dataDir: string, args: readonly string[], input?: string): Promise<Finished> =>
  runWalletd(args, { env: envOf(dataDir), ...(input === undefined ? {} : { input }) });

const email = ['--email', 'ana@example.com'];
const create = ['users', 'create', ...email, '--role', 'admin', '--password-stdin'];
const commands: [string, string[]][] = [
  ['users create', create],
  ['users reset-password', ['users', 'reset-password', ...email, '--password-stdin']],
  ['users reset-totp', ['users', 'reset-totp', ...email]],
  ['statements rebuild', ['statements', 'rebuild']],
  ['backup', ['backup', '--out', join(folder, 'backup')]],
  [
    'wallets accept-clock-ahead',
    ['wallets', 'accept-clock-ahead', '--all', '--note', 'a test', '--dry-run'],
  ],
];

describe('commands where there is no database', () => {
  it.each(commands)(
    'walletd %s creates nothing, and names the data folder',
    async (_name, args) => {
      const absent = join(folder, 'absent', 'data');
      const done = await run(absent, args, password);
      expectExplained(done, 1, /^walletd: There is no data folder .*absent/m);
      expect(done.stderr).toContain(`walletd: data folder ${absent}\n`);
      expect(done.stderr).toMatch(/^hint: .*WALLETD_DATA_DIR.*`walletd start`/m);
      expect(existsSync(join(folder, 'absent'))).toBe(false);

      const empty = join(folder, 'empty');
      mkdirSync(empty, { recursive: true });
      const refused = await run(empty, args, password);
      expectExplained(refused, 1, /^walletd: There is no database in the data folder .*empty\.$/m);
      expect(readdirSync(empty)).toEqual([]);
    },
  );

  it('walletd config check creates nothing', async () => {
    const absent = join(folder, 'unchecked', 'data');
    const done = await run(absent, ['config', 'check']);
    expectCode(done, 0);
    expect(done.stderr).toContain(`walletd: data folder ${absent}\n`);
    expect(existsSync(join(folder, 'unchecked'))).toBe(false);
  });
});

describe('folders of others', () => {
  const foreign: [string, string][] = [
    ['notes', 'notes.txt'],
    ['cluster', 'PG_VERSION'],
    ['hidden', '.profile'],
  ];
  it.each(foreign)('a folder with %s is not taken as data folder', async (name, file) => {
    const place = join(folder, `foreign-${name}`);
    mkdirSync(place, { mode: 0o755 });
    writeFileSync(join(place, file), '18\n');
    const others = [['start'], create, ['config', 'check']];
    const args = name === 'notes' ? [['migrate'], ...others] : [['migrate']];
    for (const words of args) {
      const code = words[0] === 'config' ? 2 : 1;
      const done = await run(place, words, password);
      expectExplained(done, code, /is not empty, and walletd did not create what is in it/);
      expect(done.stderr).toContain(JSON.stringify(file));
      expect(readdirSync(place)).toEqual([file]);
    }
  });

  it('a cluster without the passwords of walletd is not taken as its own', async () => {
    const place = join(folder, 'foreign-postgres');
    mkdirSync(join(place, 'postgres'), { recursive: true });
    writeFileSync(join(place, 'postgres', 'PG_VERSION'), '18\n');
    for (const words of [['start'], ['migrate'], create]) {
      expectExplained(await run(place, words, password), 1, /embedded\.json .* is missing/);
      expect(readdirSync(place)).toEqual(['postgres']);
    }
  });
});

describe('paths with special characters', () => {
  it('a data folder with characters of shells and of Postgres in its path works', async () => {
    const dataDir = join(folder, `a "quo'te" $HOME \`x\` back\\\\slash; %41 ünï`, 'data');
    started.push(dataDir);
    expectCode(await run(dataDir, ['migrate']), 0);
    const made = await run(dataDir, create, `\ufeff${password}\r\nnot the password\n`);
    expectCode(made, 0);
    expect(made.stderr).toContain(`walletd: data folder ${dataDir}\n`);
    expect(made.stderr).toMatch(/^walletd: created admin ana@example\.com/m);

    const daemon = runProcess(['start'], envOf(dataDir));
    await waitFor('ready or its end', () => /walletd ready|hint: /.test(daemon.said()));
    expect(daemon.said()).toContain(`walletd: data folder ${dataDir}\n`);
    expect(daemon.said()).toMatch(/^walletd ready: gRPC on/m);
    // Beside the daemon: its server is joined.
    const again = await run(dataDir, create, password);
    expectExplained(again, 1, /ana@example\.com/);
    daemon.child.kill('SIGTERM');
    expect(await daemon.end()).toBe(0);

    const latin1 = Buffer.from('senha não é segura', 'latin1');
    const refused = await pipe(dataDir, create, latin1);
    expectExplained(refused, 1, /not valid UTF-8/);
  });

  it('a data folder with a line end in its path is refused before anything is made', async () => {
    const dataDir = join(folder, 'new\nline');
    for (const words of [['start'], ['migrate'], create]) {
      const done = await run(dataDir, words, password);
      expectExplained(done, 1, /has a line end or another control character in its path/);
      expect(existsSync(dataDir)).toBe(false);
    }
  });
});

describe('the command line', () => {
  it('walletd --version prints its name and version, as wallet does', async () => {
    const done = await run(folder, ['--version']);
    expect(done).toMatchObject({ code: 0, stdout: `walletd ${packageJson.version}\n` });
  });

  const mistyped: [string[], string, string][] = [
    [['strat'], "unknown command 'strat'", 'did you mean start?'],
    [['users', 'creat'], "unknown command 'creat'", 'did you mean create?'],
    [['--lisen', '127.0.0.1:0'], "unknown option '--lisen'", 'did you mean --listen?'],
    [
      ['statements', 'rebuild', '--walet', 'x'],
      "unknown option '--walet'",
      'did you mean --wallet?',
    ],
    [['users', 'create'], '--email', 'see `walletd users create --help`'],
  ];
  it.each(mistyped)('walletd %j is refused with a suggestion', async (words, what, hint) => {
    const done = await run(folder, words);
    expectExplained(done, 2, new RegExp(`^walletd: .*${what}`, 'm'));
    expect(done.stderr).toContain(`hint: ${hint}\n`);
  });
});

/** Runs walletd with bytes on its standard input. */
function pipe(dataDir: string, args: readonly string[], bytes: Buffer) {
  return new Promise<{ code: number | null; stderr: string }>((resolve) => {
    const child = spawn(process.execPath, [walletdFile, ...args], { env: envOf(dataDir) });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    child.on('close', (code) => resolve({ code, stderr }));
    child.stdin.end(bytes);
  });
}
