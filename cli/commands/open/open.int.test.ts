import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { createCli, type Cli } from '../../test-support.ts';
import { waitUntil } from '../../../tests/support/ledger/ledger.ts';

let cli: Cli;
let folder: string;
let server: Server;
let base: string;
let env: Record<string, string>;

beforeEach(async () => {
  cli = await createCli();
  folder = await mkdtemp(join(tmpdir(), 'wallet-open-'));
  server = createServer((request, response) => {
    response.statusCode = request.url === '/docs' ? 200 : 404;
    response.end('docs');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  env = { PATH: `${folder}:/usr/bin:/bin`, DISPLAY: ':9' };
  await writeFile(join(folder, 'xdg-open'), `#!/bin/sh\nprintf '%s,' "$@" >> ${folder}/opened\n`);
  await chmod(join(folder, 'xdg-open'), 0o755);
});

afterEach(async () => {
  server.close();
  await cli.remove();
  await rm(folder, { recursive: true, force: true });
});

const readOpened = (): Promise<string> => readFile(join(folder, 'opened'), 'utf8').catch(() => '');
const terminal = { isTerminal: true, columns: 80 };

test('at a terminal the page is opened in the browser, and its address is printed', async () => {
  const ran = await cli.run(['open', 'docs', '--url', `${base}/x?$(touch pwned);'"`], {
    ...terminal,
    env,
  });
  expect(ran).toMatchObject({ exitCode: 0, out: `${base}/docs\n` });
  await waitUntil('the browser', async () => (await readOpened()) !== '');
  expect(await readOpened()).toBe(`${base}/docs,`);
});

test('without a terminal, a display or a browser the address is printed only', async () => {
  const argv = ['open', 'docs', '--url', base];
  expect(await cli.run(argv, { env })).toMatchObject({ exitCode: 0, out: `${base}/docs\n` });
  const noDisplay = { ...env, DISPLAY: '' };
  const plain = await cli.run(argv, { ...terminal, env: noDisplay });
  expect(plain).toMatchObject({ exitCode: 0, out: `${base}/docs\n` });
  expect(plain.err).toContain('open this address in a browser');
  await rm(join(folder, 'xdg-open'));
  const none = await cli.run([...argv, '--json'], { ...terminal, env: { ...env, PATH: folder } });
  expect(JSON.parse(none.out)).toEqual({ url: `${base}/docs`, opened: false });
  expect(await readOpened()).toBe('');
});

test('a page that is not there is unavailable, with what else there is', async () => {
  server.close();
  server.closeAllConnections();
  for (const argv of [
    ['--url', base],
    ['--server', '127.0.0.1:50051', '--timeout', '2s', '--tls'],
  ]) {
    const ran = await cli.run(['open', 'docs', ...argv], { ...terminal, env });
    expect(ran).toMatchObject({ exitCode: 7, out: '' });
    expect(ran.err).toContain('man wallet');
  }
  expect(await readOpened()).toBe('');
});

test.each(['file:///etc/passwd', 'javascript:alert(1)', '--version', 'http://u:p@x/', ''])(
  'an address like %j is refused before anything is opened',
  async (url) => {
    const ran = await cli.run(['open', 'docs', `--url=${url}`], { ...terminal, env });
    expect(ran).toMatchObject({ exitCode: 2, out: '' });
    expect(await readOpened()).toBe('');
  },
);

test('"version" prints the version like --version, and what it runs on as JSON', async () => {
  expect(await cli.run(['version'])).toMatchObject({ out: 'wallet 0.1.0\n', err: '' });
  const ran = await cli.run(['version', '--json', '--server', 'no server']);
  expect(JSON.parse(ran.out)).toEqual({
    version: '0.1.0',
    node: process.versions.node,
    platform: process.platform,
    arch: process.arch,
  });
});
