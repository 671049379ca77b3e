import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export type CuttingProxy = {
  readonly url: string;
  /**
   * Ends the connection of each of the next answers after so many of its bytes: the server has got
   * the request, and the client does not get the whole answer.
   */
  cutAnswers(options: { readonly times: number; readonly afterBytes?: number }): void;
  /** How many of them are to come. */
  readonly cutsLeft: () => number;
  /** Ends all connections that are open now. */
  cutAll(): void;
  stop(): Promise<void>;
};

/** A TCP proxy before an HTTP server of this machine. */
export async function startCuttingProxy(port: number): Promise<CuttingProxy> {
  let cutsLeft = 0;
  let cutAfterBytes = 0;
  const open = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    open.add(client);
    const end = (): void => {
      client.destroy();
      upstream.destroy();
      open.delete(client);
    };
    for (const socket of [client, upstream]) {
      socket.on('error', end);
      socket.on('close', end);
    }
    let answered = 0;
    client.on('data', (chunk) => {
      // A request after an answer: what follows is another answer.
      answered = 0;
      upstream.write(chunk);
    });
    upstream.on('data', (chunk) => {
      if (cutsLeft === 0 || answered + chunk.length <= cutAfterBytes) {
        answered += chunk.length;
        client.write(chunk);
        return;
      }
      cutsLeft -= 1;
      const last = chunk.subarray(0, Math.max(0, cutAfterBytes - answered));
      upstream.removeAllListeners('data');
      if (last.length === 0) end();
      else client.write(last, end);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cutsLeft: () => cutsLeft,
    cutAnswers: ({ times, afterBytes = 0 }) => {
      cutsLeft = times;
      cutAfterBytes = afterBytes;
    },
    cutAll: () => open.forEach((socket) => socket.destroy()),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        open.forEach((socket) => socket.destroy());
      }),
  };
}
