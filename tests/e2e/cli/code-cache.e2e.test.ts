import { spawnSync } from 'node:child_process';
import { chmod, cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, it } from 'vitest';

import { digestOf } from '../../../cli/load-run.ts';

const digestLength = 20;

// Says on stderr what V8 was given, and what it thought of it.
const hook = `
const vm = require('node:vm');
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    process.stderr.write(options.cachedData ? 'rejected ' + this.cachedDataRejected : 'no cache');
  }
};`;
const plantedFault = `require('node:os').hostname = () => { throw new Error('planted'); };`;

let folder: string;
const at = (name: string): string => join(folder, name);

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-built-'));
  await cp('dist/cli', folder, { recursive: true });
  await writeFile(at('hook.cjs'), hook);
  await writeFile(at('fault.cjs'), plantedFault);
});

afterEach(() => rm(folder, { recursive: true }));

function run(
  args: readonly string[],
  { hookName = 'hook.cjs', uid }: { hookName?: string; uid?: number | undefined } = {},
) {
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent', WALLET_CURRENCY: 'JPY' };
  const options = ['--require', at(hookName)];
  const all = [...options, at('main.js'), ...args];
  return spawnSync(process.execPath, all, { env, encoding: 'utf8', uid });
}

const getCurrency = ['config', 'get', 'currency'];
const answer = (stderr: string) => ({ status: 0, stdout: 'JPY\n', stderr });

it('the built command line starts with the code of its cache', () => {
  expect(run(getCurrency)).toMatchObject(answer('rejected false'));
});

it.each<[string, (cache: Buffer) => Buffer | undefined]>([
  ['missing', () => undefined],
  ['empty', () => Buffer.alloc(0)],
  ['cut', (cache) => cache.subarray(0, cache.length - 1)],
  ['full of zeros', (cache) => Buffer.concat([cache.subarray(0, 64), Buffer.alloc(cache.length)])],
  [
    'damaged in one bit',
    (cache) => {
      const middle = cache.length >> 1;
      return Buffer.concat([
        cache.subarray(0, middle),
        Buffer.of(cache.readUInt8(middle) ^ 1),
        cache.subarray(middle + 1),
      ]);
    },
  ],
])('a code cache that is %s is not used, and the command is done', async (_what, change) => {
  const changed = change(await readFile(at('run.cache')));
  if (changed) await writeFile(at('run.cache'), changed);
  else await rm(at('run.cache'));
  expect(run(getCurrency)).toMatchObject(answer('no cache'));
});

it('V8 rejects a code cache of another version, and compiles the source', async () => {
  const data = (await readFile(at('run.cache'))).subarray(digestLength);
  // The second word is V8's version.
  data.writeUInt32LE(data.readUInt32LE(4) ^ 0xff, 4);
  const digest = digestOf(await readFile(at('run.js'), 'latin1'), data);
  await writeFile(at('run.cache'), Buffer.concat([digest, data]));
  expect(run(getCurrency)).toMatchObject(answer('rejected true'));
});

it('a changed source of the same length is not run with the code of the old one', async () => {
  const source = await readFile(at('run.js'), 'latin1');
  await writeFile(at('run.js'), source.replace('Digital wallet:', 'DIGITAL WALLET:'));
  const ran = run(['--help']);
  expect(ran).toMatchObject({ status: 0, stderr: 'no cache' });
  expect(ran.stdout).toContain('DIGITAL WALLET: move money');
});

it('a read-only installation of another user starts from its cache, and is left as it is', async () => {
  const names = await readdir(folder);
  for (const name of names) await chmod(at(name), 0o444);
  await chmod(folder, 0o555);
  const uid = process.getuid?.() === 0 ? 65_534 : undefined;
  expect(run(getCurrency, { uid })).toMatchObject(answer('rejected false'));
  await chmod(folder, 0o755);
  expect(await readdir(folder)).toEqual(names);
});

it('stack traces name functions and places, with source maps those of the source', () => {
  const plain = run(getCurrency, { hookName: 'fault.cjs' });
  expect(plain.stderr).toMatch(/at readEnvironment \(.*\/run\.js:\d+:\d+\)/);
  const env = { PATH: process.env['PATH'], HOME: '/nonexistent' };
  const args = ['--enable-source-maps', '--require', at('fault.cjs'), 'dist/cli/main.js', 'whoami'];
  const mapped = spawnSync(process.execPath, args, { env, encoding: 'utf8' });
  expect(mapped.stderr).toMatch(/at readEnvironment \(.*\/cli\/config\/config\.ts:\d+:\d+\)/);
});
