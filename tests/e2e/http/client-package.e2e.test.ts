import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, expect, it } from 'vitest';

import { findFreePort } from '../../support/free-port.ts';
import { createWorld, type World } from '../../support/processes/world.ts';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '../../..');
let folder: string;

/** A project of someone else, in which nothing but the package is installed: no dependencies. */
beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), 'dw-package-')));
  const pack = ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder];
  await run('npm', pack, { cwd: root });
  const [archive = ''] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
  const installed = join(folder, 'node_modules/digital-wallet');
  await mkdir(installed, { recursive: true });
  await run('tar', ['-xzf', join(folder, archive), '-C', installed, '--strip-components=1']);
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function readExample(): Promise<string> {
  const text = await readFile(join(root, 'docs/client.md'), 'utf8');
  return /```ts\n(import [\s\S]*?)```/.exec(text)?.[1] ?? '';
}

let world: World;
beforeAll(async () => {
  world = await createWorld();
});
afterAll(() => world.dispose());

it('the example of docs/client.md runs as a plain script with the packed client', async () => {
  const port = await findFreePort();
  await world.start({ WALLETD_HTTP_LISTEN: `127.0.0.1:${port}` });
  const WALLET_URL = `http://127.0.0.1:${port}`;
  const person = { email: 'ana@example.com', password: 'correct horse battery' };
  await fetch(`${WALLET_URL}/v1/sign-up`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(person),
  });
  await writeFile(join(folder, 'example.js'), await readExample());
  const env = {
    ...{ PATH: process.env['PATH'], WALLET_URL },
    ...{ WALLET_EMAIL: person.email, WALLET_PASSWORD: person.password },
  };
  const { stdout } = await run(process.execPath, ['example.js'], { cwd: folder, env });
  expect(stdout.split('\n')).toEqual([
    ...['balance: 150.00 BRL', 'refused: INSUFFICIENT_FUNDS', '1: deposit 150.00'],
    expect.stringMatching(/^done: 1 rows in statement-BRL-.*\.csv, \d{2,} characters$/),
    '',
  ]);
});

const options = {
  ...{ strict: true, module: 'nodenext', target: 'es2023', noEmit: true, skipLibCheck: false },
  ...{ exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
};

/** The errors of the compiler in a program of another project; none: an empty text. */
async function compile(name: string, text: string, compilerOptions: object): Promise<string> {
  await writeFile(join(folder, `${name}.ts`), text);
  const config = { compilerOptions: { ...options, ...compilerOptions }, files: [`${name}.ts`] };
  await writeFile(join(folder, `${name}.json`), JSON.stringify(config));
  const tsc = join(root, 'node_modules/typescript/bin/tsc');
  return run(process.execPath, [tsc, '-p', `${name}.json`], { cwd: folder }).then(
    () => '',
    (error: unknown) => (error as { readonly stdout: string }).stdout,
  );
}

const node = { lib: ['es2023'], types: ['node'], typeRoots: [join(root, 'node_modules/@types')] };
const browser = { lib: ['es2023', 'dom', 'dom.asynciterable'], types: [] };

it('the example of docs/client.md compiles under the strict rules of a program for Node', async () => {
  expect(await compile('node-example', await readExample(), node)).toBe('');
});

const typed = `import { createClient, WalletProblem, type Transaction } from 'digital-wallet/client';
const client = createClient({ baseUrl: 'https://wallet.example', apiKey: 'dwk_x' });
const body = { operation: 'deposit', amount: '1.00' } as const;
const made: Transaction = await client.transactions.create(body);
const file: { stream: ReadableStream<Uint8Array> } = await client.exports.download(made.id ?? '');
for await (const event of client.events.follow()) if (event.type === 'line') event.seq.toFixed();
export const isFunds = (error: unknown) =>
  error instanceof WalletProblem && error.reason === 'INSUFFICIENT_FUNDS' ? file.stream : undefined;
`;

it('a program for browsers compiles with the types of the packed client', async () => {
  expect(await compile('browser', typed, browser)).toBe('');
});

it('the compiler refuses an operation and a field that the API does not have', async () => {
  const wrong = typed.replace("'deposit', amount", "'donate', amounts");
  expect(await compile('wrong', wrong, browser)).toMatch(/TS\d+: .*"donate"/);
});
