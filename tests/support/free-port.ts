import { createServer } from 'node:net';

// Below the ports that Linux gives to outgoing connections (32768 to 60999): one of those could
// be taken between this check and the start of the program that shall listen on it.
const firstPort = 20_000;
const portsPerRange = 1_000;
/** Of workers that run beside each other no two have the same number, which is 1 at least. */
const rangeCount = 12;
const worker = Math.min(Number(process.env['VITEST_POOL_ID'] ?? 0), rangeCount - 1);
// The processes of one worker, one after the other, begin at different places.
let next = (process.pid * 16) % portsPerRange;

/** A TCP port of 127.0.0.1 that no other test process takes. Each call gives another. */
export async function findFreePort(): Promise<number> {
  const start = firstPort + worker * portsPerRange;
  for (let tries = 0; tries < portsPerRange; tries += 1) {
    const port = start + next;
    next = (next + 1) % portsPerRange;
    if (await isFree(port)) return port;
  }
  throw new Error(`all ports from ${start} to ${start + portsPerRange - 1} are taken`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
