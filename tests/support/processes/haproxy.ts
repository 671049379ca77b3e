import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { findFreePort } from '../free-port.ts';
import { readDocumentedProxy, replaceAll, runProxy } from './proxy.ts';

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
  const [first, second] = backends;
  const bind = 'bind :443 ssl crt /etc/digital-wallet/tls/public-with-key.pem alpn h2';
  const secured = 'ssl verify required ca-file /etc/digital-wallet/tls/ca.pem alpn h2';
  const text = replaceAll(readDocumentedProxy('haproxy'), [
    [bind, `bind 127.0.0.1:${port} ${tls ? `ssl crt ${pem} alpn h2` : 'proto h2'}`],
    [secured, tls ? `ssl verify required ca-file ${tls.ca} alpn h2` : 'proto h2'],
    ['walletd-1.internal:50051', first.listen],
    ['walletd-2.internal:50051', second.listen],
    ['walletd-1.internal:9464', first.metrics],
    ['walletd-2.internal:9464', second.metrics],
  ]);
  writeFileSync(file, text);
  const proxy = await runProxy('/usr/sbin/haproxy', ['-db', '-f', file], port);
  return {
    address: `127.0.0.1:${port}`,
    stop: async () => {
      await proxy.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
