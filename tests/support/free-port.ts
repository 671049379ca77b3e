import { createServer } from 'node:net';

// Below the ports that Linux gives to outgoing connections (32768 to 60999): one of those could
// be taken between this check and the start of the program that shall listen on it.
const firstPort = 20_000;
const portsPerProcess = 16;
const processCount = 750;
let used = 0;

/** A TCP port of 127.0.0.1 that no other test process takes. Each call gives another. */
export async function findFreePort(): Promise<number> {
  const start = firstPort + (process.pid % processCount) * portsPerProcess;
  for (let tries = 0; tries < portsPerProcess; tries += 1) {
    const port = start + (used % portsPerProcess);
    used += 1;
    if (await isFree(port)) return port;
  }
  throw new Error(`all ports from ${start} to ${start + portsPerProcess - 1} are taken`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
