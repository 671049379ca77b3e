import { spawnSync } from 'node:child_process';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { createCli, fakeToken, type Cli } from './test-support.ts';

let cli: Cli;
let server: Server | undefined;

beforeEach(async () => {
  cli = await createCli();
});

afterEach(async () => {
  server?.close();
  await cli.remove();
});

/** The command line as a process of its own. */
function run(argv: readonly string[], env: Record<string, string>) {
  const main = fileURLToPath(new URL('./main.ts', import.meta.url));
  return spawnSync(process.execPath, ['--import', 'tsx', main, ...argv], {
    encoding: 'utf8',
    env: {
      ...process.env,
      WALLET_TOKEN: fakeToken(),
      WALLET_CONFIG_DIR: cli.configDir,
      WALLET_STATE_DIR: cli.stateDir,
      ...env,
    },
  });
}

test('an invalid TZ variable is reported, unless a time zone is configured', () => {
  const env = { TZ: 'Nonsense/Zone' };
  const wrong = run(['balance'], env);
  expect(wrong.status).toBe(2);
  expect(wrong.stderr).toMatch(/^error: TZ: "Nonsense\/Zone" is not .*\(CONFIG_INVALID\)/);
  expect(run(['config', 'set', 'timezone', 'UTC'], env).status).toBe(0);
  expect(run(['balance', '--server', '127.0.0.1:1'], env).status).toBe(7);
});

test('a TLS connection to a server without TLS prints no library warnings', async () => {
  server = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await new Promise<void>((resolve) => server?.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const ran = run(['balance', '--tls', '--server', `127.0.0.1:${port}`, '--timeout', '2s'], {});
  expect(ran.status).toBe(7);
  expect(ran.stderr).not.toMatch(/Deprecation|SSL|LB pick/);
});
