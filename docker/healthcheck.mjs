import { readFileSync } from 'node:fs';

import { credentials, makeGenericClientConstructor } from '@grpc/grpc-js';
import { service } from 'grpc-health-check';

// Asks the walletd of this container how it is: exit code 0 if it serves, 1 otherwise.
const timeoutMs = 4_000;
const { env } = process;

/** An address for all interfaces is reached by loopback. */
const toLocal = (address) => address.replace(/^(0\.0\.0\.0|\[::\]):/, '127.0.0.1:');

/**
 * With TLS it shows the daemon's own certificate, for a listener that asks for one. The daemon's is
 * not verified: it names a public host, and nothing secret is sent to this address.
 */
function createCredentials() {
  const [cert, key] = [env.TLS_CERT_FILE, env.TLS_KEY_FILE];
  if (!cert || !key) return credentials.createInsecure();
  const options = { rejectUnauthorized: false, checkServerIdentity: () => undefined };
  if (!env.TLS_CLIENT_CA_FILE) return credentials.createSsl(null, null, null, options);
  return credentials.createSsl(null, readFileSync(key), readFileSync(cert), options);
}

async function askGrpc() {
  const Health = makeGenericClientConstructor(service, 'Health');
  const address = toLocal(env.WALLETD_LISTEN || '127.0.0.1:50051');
  const client = new Health(address, createCredentials());
  const deadline = Date.now() + timeoutMs / 2;
  return new Promise((resolve, reject) => {
    client.check({ service: '' }, { deadline }, (error, answer) =>
      error ? reject(error) : resolve(answer.status),
    );
  });
}

/** Where the daemon's certificate is none that its own listener takes from clients, say. */
async function askHttp() {
  const address = toLocal(env.WALLETD_METRICS_LISTEN || '127.0.0.1:9464');
  if (address === 'off') throw new Error('WALLETD_METRICS_LISTEN is off');
  const signal = AbortSignal.timeout(timeoutMs / 2);
  const answer = await fetch(`http://${address}/readyz`, { signal });
  return answer.ok ? 'SERVING' : 'NOT_SERVING';
}

async function ask() {
  try {
    return await askGrpc();
  } catch (error) {
    if (!env.TLS_CLIENT_CA_FILE) throw error;
    return askHttp().catch((other) => {
      throw new Error(`${error.message}; ${other.message}`);
    });
  }
}

const status = await ask().catch((error) => error.message);
console.log(status);
process.exit(status === 'SERVING' ? 0 : 1);
