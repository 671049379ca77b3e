import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export type HoldingProxy = {
  readonly address: string;
  /**
   * The server gets the first call of the next connection, and its answer is held until `release`.
   * `isHeld` resolves once the call is on its way.
   */
  holdNext(): { readonly isHeld: Promise<void>; release(): void };
  stop(): Promise<void>;
};

const prefaceBytes = 24;
const headBytes = 9;
const headersFrame = 1;

/** A TCP proxy before a gRPC server of this machine, for answers that take a long time. */
export async function startHoldingProxy(target: string): Promise<HoldingProxy> {
  const [host = '', port = ''] = target.split(':');
  const sockets = new Set<Socket>();
  let next: { onCall: () => void; released: Promise<void> } | undefined;
  const server = createServer((client) => {
    const upstream = connect(Number(port), host);
    const held = next;
    next = undefined;
    const isCall = createCallFinder();
    let gate: Promise<void> | undefined;
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      const end = (): void => void (client.destroy(), upstream.destroy());
      socket.on('error', end).on('close', end);
    }
    client.on('data', (chunk) => {
      if (held && !gate && isCall(chunk)) {
        gate = held.released;
        held.onCall();
      }
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (gate) void gate.then(() => client.write(chunk));
      else client.write(chunk);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    holdNext: () => {
      let release = (): void => undefined;
      const released = new Promise<void>((resolve) => (release = resolve));
      const isHeld = new Promise<void>((resolve) => (next = { onCall: resolve, released }));
      return { isHeld, release };
    },
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

/** True once the bytes of a client, HTTP/2 frames after a preface, have begun a call. */
function createCallFinder(): (chunk: Buffer) => boolean {
  let seen: Buffer = Buffer.alloc(0);
  return (chunk) => {
    seen = Buffer.concat([seen, chunk]);
    for (let at = prefaceBytes; at + headBytes <= seen.length;) {
      if (seen[at + 3] === headersFrame) return true;
      at += headBytes + seen.readUIntBE(at, 3);
    }
    return false;
  };
}
