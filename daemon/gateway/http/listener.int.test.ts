import type { ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, expect, it } from 'vitest';

import { openRaw, toRequest, type RawConnection } from '../../../tests/support/http/raw.ts';
import { connectionLimits } from '../../platform/grpc/ingress/listener.ts';
import { createAddressSet } from '../../platform/grpc/ingress/source.ts';
import { createLog } from '../../platform/log.ts';
import { createHttpListener } from './listener.ts';

const close: (() => void)[] = [];
afterEach(() => close.splice(0).forEach((end) => end()));

type Answer = (response: ServerResponse) => unknown;

/** A listener with room for two connections, which answers each request on demand. */
async function startListener(answer: Answer = (response) => response.end('done')) {
  const answers: (() => void)[] = [];
  let onRequest = (): void => undefined;
  const server = createHttpListener({
    handle: (_request, response) => {
      answers.push(() => answer(response));
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

it.each<[string, Readonly<Record<string, string>>, Answer]>([
  ['a head', {}, (response) => response.writeHead(400, { connection: 'close' }).end('done')],
  ['a header', {}, (response) => response.setHeader('Connection', 'close').end('done')],
  ['a request', { Connection: 'close' }, (response) => response.end('done')],
])(
  'what follows an answer that is the last one, because of %s, is not begun',
  async (_why, headers, answer) => {
    const { port, answers } = await startListener(answer);
    const connection = openRaw(port);
    connection.write(Buffer.concat([toRequest('GET', '/', headers), toRequest('GET', '/')]));
    while (answers.length === 0) await sleep(1);
    answers[0]?.();
    expect((await connection.rest()).map(({ text }) => text)).toEqual(['done']);
    await sleep(100);
    expect(answers).toHaveLength(1);
  },
);
