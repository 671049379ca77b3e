import type { AddressInfo } from 'node:net';

import { afterEach, expect, it } from 'vitest';

import { openRaw, toRequest, type RawConnection } from '../../../tests/support/http/raw.ts';
import { connectionLimits } from '../../platform/grpc/ingress/listener.ts';
import { createAddressSet } from '../../platform/grpc/ingress/source.ts';
import { createLog } from '../../platform/log.ts';
import { createHttpListener } from './listener.ts';

const close: (() => void)[] = [];
afterEach(() => close.splice(0).forEach((end) => end()));

/** A listener with room for two connections; the caller ends each answer. */
async function startListener() {
  const answers: (() => void)[] = [];
  let onRequest = (): void => undefined;
  const server = createHttpListener({
    handle: (_request, response) => {
      answers.push(() => response.end('done'));
      onRequest();
    },
    tls: undefined,
    proxies: createAddressSet([]),
    log: createLog('silent'),
    limits: { ...connectionLimits, trusted: 2, settleMs: 0 },
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  close.push(() => server.close().closeAllConnections());
  const { port } = server.address() as AddressInfo;
  const ask = async (): Promise<RawConnection> => {
    const connection = openRaw(port);
    const come = new Promise<void>((resolve) => (onRequest = resolve));
    connection.write(toRequest('GET', '/'));
    await come;
    return connection;
  };
  return { port, answers, ask };
}

it('a connection beyond the limit is closed while the others have requests in flight', async () => {
  const { port, answers, ask } = await startListener();
  const first = await ask();
  const second = await ask();
  const third = openRaw(port);
  third.write(toRequest('GET', '/'));
  expect(await third.rest()).toEqual([]);
  expect(answers).toHaveLength(2);
  for (const answer of answers) answer();
  expect((await first.next())?.text).toBe('done');
  expect((await second.next())?.text).toBe('done');
});

it('a connection beyond the limit takes the place of an idle one', async () => {
  const { answers, ask } = await startListener();
  const first = await ask();
  answers.pop()?.();
  expect((await first.next())?.text).toBe('done');
  const second = await ask();
  const third = await ask();
  expect(await first.rest()).toEqual([]);
  for (const answer of answers) answer();
  expect((await second.next())?.text).toBe('done');
  expect((await third.next())?.text).toBe('done');
});

it('a request is begun once the one before it on its connection is answered', async () => {
  const { answers, ask } = await startListener();
  const connection = await ask();
  connection.write(toRequest('GET', '/'));
  const other = await ask();
  expect(answers).toHaveLength(2);
  answers[0]?.();
  expect((await connection.next())?.text).toBe('done');
  while (answers.length < 3) await new Promise((resolve) => setImmediate(resolve));
  answers[2]?.();
  expect((await connection.next())?.text).toBe('done');
  other.close();
});
