import { once } from 'node:events';
import { connect, createServer, type Http2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';

import { expect, it, vi } from 'vitest';

import { frameLimits, watchFrames } from './frame-budget.ts';

it('calls without a credential past the burst of their connection wait', async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const limits = { ...frameLimits, unauthenticated: { burst: 2, perSecond: 1 } };
  const watch = watchFrames({ server, limits, end: () => undefined });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const open = async () => {
    const accepted = once(server, 'session') as Promise<[Http2Session]>;
    const client = connect(url);
    return { client, meter: watch.of((await accepted)[0]) };
  };
  const [one, other] = [await open(), await open()];
  const answered: string[] = [];
  for (let i = 0; i < 5; i += 1) one.meter.delay(() => answered.push(`one ${i}`));
  other.meter.delay(() => answered.push('other'));
  expect(answered).toEqual(['one 0', 'one 1', 'other']);
  await vi.waitFor(() => expect(answered).toHaveLength(6), { timeout: 10_000 });
  one.client.destroy();
  other.client.destroy();
  watch.stop();
  server.close();
});
