import { afterAll, beforeAll, expect, it } from 'vitest';

import { findFreePort } from '../../support/free-port.ts';
import { createWorld, type World } from '../../support/processes/world.ts';

let world: World;
let listeners: readonly string[];

beforeAll(async () => {
  world = await createWorld();
  const [http, metrics] = [await findFreePort(), await findFreePort()];
  listeners = [`http://127.0.0.1:${http}`, `http://127.0.0.1:${metrics}`];
  await world.start({
    WALLETD_HTTP_LISTEN: `127.0.0.1:${http}`,
    WALLETD_METRICS_LISTEN: `127.0.0.1:${metrics}`,
  });
});
afterAll(() => world.dispose());

const get = async (url: string) => {
  const response = await fetch(url);
  return [response.status, await response.text()] as const;
};

it('/healthz and /readyz are answered by the gateway and by the listener for metrics', async () => {
  for (const url of listeners) {
    expect(await get(`${url}/healthz`)).toEqual([200, 'ok\n']);
    expect(await get(`${url}/readyz`)).toEqual([200, 'ready\n']);
  }
});

it('the gateway serves no metrics', async () => {
  const [gateway, metrics] = listeners;
  expect((await get(`${gateway}/metrics`))[0]).toBe(404);
  expect((await get(`${metrics}/metrics`))[0]).toBe(200);
});
