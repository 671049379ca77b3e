import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';

import { afterEach, expect, it } from 'vitest';

import { succeed } from '../../../core/reasons.ts';
import type { Caller } from '../../platform/grpc/caller/caller.ts';
import { createAddressSet } from '../../platform/grpc/ingress/source.ts';
import { createLog } from '../../platform/log.ts';
import { createBrowserSessions } from '../browser-sessions.ts';
import { mountRoutes } from './mount.ts';
import { createHostCheck } from './request.ts';
import { answer, defineRoute, type RouteInput } from './route.ts';
import { createHttpServer } from './server.ts';

type Asked = Pick<RouteInput<unknown, unknown, unknown>, 'signal' | 'callOptions'>;

let close: () => Promise<void> = () => Promise.resolve();
afterEach(() => close());

/** A gateway with one route; `run` gets what the route has. */
async function start(run: (asked: Asked) => Promise<void>) {
  const caller: Caller = {
    call: () => Promise.resolve(succeed({} as never)),
    stream: () => {
      throw new Error('not used');
    },
    close: () => undefined,
  };
  const decorateProblem = (_path: string, problem: object): object => problem;
  const server = createHttpServer({
    methodsOf: () => [],
    log: createLog('silent'),
    proxies: createAddressSet([]),
    tls: undefined,
    decorateProblem,
  });
  const route = defineRoute({
    ...{ method: 'GET', path: '/wait', tag: 'test', summary: 'Wait' },
    credential: 'none',
    answers: {},
    problems: [],
    run: async (asked) => {
      await run(asked);
      return answer(200, {});
    },
  });
  const stopping = new AbortController();
  mountRoutes(server, [route], {
    ...{ callers: { auth: caller, wallet: caller, statement: caller }, inFlight: new Set() },
    decorateProblem,
    hosts: createHostCheck(['localhost']),
    sessions: createBrowserSessions({ exchange: () => Promise.reject(new Error('not used')) }),
    stopping: stopping.signal,
  });
  await server.listen({ host: '127.0.0.1', port: 0 });
  close = () => server.close();
  const { port } = server.server.address() as AddressInfo;
  const socket = connect({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  const ask = () => socket.write('GET /wait HTTP/1.1\r\nhost: localhost\r\n\r\n');
  return { socket, ask, stopping };
}

it('a request whose client leaves before the answer gives its calls up', async () => {
  let begin: (asked: Asked) => void = () => undefined;
  const begun = new Promise<Asked>((resolve) => (begin = resolve));
  let finish: () => void = () => undefined;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const { socket, ask } = await start((asked) => {
    begin(asked);
    return finished;
  });
  ask();
  const { signal, callOptions } = await begun;
  const aborted = once(signal, 'abort');
  expect(callOptions.signal?.aborted).toBe(false);
  socket.destroy();
  await aborted;
  expect(callOptions.signal?.aborted).toBe(true);
  finish();
});

it('a request that was answered has not given its calls up', async () => {
  const all: Asked[] = [];
  const { socket, ask } = await start((asked) => {
    all.push(asked);
    return Promise.resolve();
  });
  // The second answer comes after the end of the first request.
  for (let count = 0; count < 2; count += 1) {
    ask();
    await once(socket, 'data');
  }
  expect(all.map(({ callOptions }) => callOptions.signal?.aborted)).toEqual([false, false]);
  socket.destroy();
});

it('a stop of the gateway aborts the signal of a request, and not its calls', async () => {
  const all: Asked[] = [];
  const { socket, ask, stopping } = await start(async (asked) => {
    all.push(asked);
    const aborted = once(asked.signal, 'abort');
    stopping.abort();
    await aborted;
  });
  ask();
  await once(socket, 'data');
  expect(all.map(({ callOptions }) => callOptions.signal?.aborted)).toEqual([false]);
  socket.destroy();
});
