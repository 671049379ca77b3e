import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to the daemon that can be blocked or cut after so many bytes from it. */
export type Road = {
  readonly address: string;
  /** What becomes of each connection once it has brought so many bytes; undefined: nothing. */
  trouble: { readonly kind: 'block' | 'cut'; readonly afterBytes: number } | undefined;
  cuts: number;
  close(): void;
};

/** A road on a free loopback port, to wherever `target` says when a connection comes. */
export async function openRoad(target: () => string): Promise<Road> {
  const server = createServer((near: Socket) => {
    const [host = '', port = ''] = target().split(':');
    const far = connect(Number(port), host);
    let bytes = 0;
    near.on('error', () => far.destroy()).on('close', () => far.destroy());
    far.on('error', () => near.destroy()).on('close', () => near.destroy());
    near.pipe(far);
    far.on('data', (data) => {
      bytes += data.length;
      const { trouble } = road;
      if (!trouble || bytes < trouble.afterBytes) {
        near.write(data);
      } else if (trouble.kind === 'cut') {
        road.cuts += 1;
        near.destroy();
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const road: Road = {
    address: `127.0.0.1:${port}`,
    trouble: undefined,
    cuts: 0,
    close: () => void server.close(),
  };
  return road;
}
