import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { findFreePort } from '../free-port.ts';

export type Balancer = { readonly address: string; stop(): Promise<void> };

export type Backend = { readonly listen: string; readonly metrics: string };

/**
 * The configuration as docs/operations.md shows it, with these daemons, and TLS on both sides or
 * none.
 */
export async function startHaproxy(
  backends: readonly [Backend, Backend],
  tls?: { readonly cert: string; readonly key: string; readonly ca: string },
): Promise<Balancer> {
  const folder = mkdtempSync(join(tmpdir(), 'dw-haproxy-'));
  const port = await findFreePort();
  const pem = join(folder, 'walletd.pem');
  const file = join(folder, 'haproxy.cfg');
  if (tls) writeFileSync(pem, [tls.cert, tls.key].map((each) => readFileSync(each)).join('\n'));
  const documented = readFileSync(join(import.meta.dirname, '../../../docs/operations.md'), 'utf8');
  const block = /```haproxy\n([^`]+)```/.exec(documented)?.[1];
  if (block === undefined) throw new Error('docs/operations.md shows no HAProxy configuration');
  const [first, second] = backends;
  const bind = 'bind :443 ssl crt /etc/digital-wallet/tls/public-with-key.pem alpn h2';
  const secured = 'ssl verify required ca-file /etc/digital-wallet/tls/ca.pem alpn h2';
  const text = [
    [bind, `bind 127.0.0.1:${port} ${tls ? `ssl crt ${pem} alpn h2` : 'proto h2'}`],
    [secured, tls ? `ssl verify required ca-file ${tls.ca} alpn h2` : 'proto h2'],
    ['walletd-1.internal:50051', first.listen],
    ['walletd-2.internal:50051', second.listen],
    ['walletd-1.internal:9464', first.metrics],
    ['walletd-2.internal:9464', second.metrics],
  ].reduce((before, [from = '', to = '']) => {
    if (!before.includes(from)) throw new Error(`docs/operations.md no longer has ${from}`);
    return before.replaceAll(from, to);
  }, block);
  writeFileSync(file, text);
  const child = spawn('/usr/sbin/haproxy', ['-db', '-f', file], { stdio: 'pipe' });
  let said = '';
  for (const output of [child.stdout, child.stderr]) {
    output.on('data', (chunk: Buffer) => (said += chunk.toString()));
  }
  const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
  for (let tries = 0; !(await isListening(port)); tries += 1) {
    if (child.exitCode !== null || tries > 200) throw new Error(`HAProxy does not run:\n${said}`);
    await sleep(50);
  }
  return {
    address: `127.0.0.1:${port}`,
    stop: async () => {
      child.kill('SIGKILL');
      await exited;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
