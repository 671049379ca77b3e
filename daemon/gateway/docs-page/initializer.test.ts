import { webcrypto } from 'node:crypto';
import { createContext, runInContext } from 'node:vm';

import { expect, it, vi } from 'vitest';

import { listRoutes } from '../index.ts';
import { createOpenApi } from '../openapi/document.ts';
import { readDocsFile } from './files.ts';

type Request = { url: string; method?: string; headers?: Record<string, string> };
type Options = {
  readonly spec: { components: { parameters: Record<string, { required: boolean }> } };
  readonly requestInterceptor: (request: Request) => Request;
} & Record<string, unknown>;

/** Runs the script of the page with a Swagger UI that only keeps its options. */
async function startPage(): Promise<Options> {
  const document = JSON.stringify(createOpenApi(listRoutes('BRL')));
  const swaggerUi = Object.assign(vi.fn(), { presets: { apis: [] } });
  const fetched = vi.fn(() => Promise.resolve({ json: () => JSON.parse(document) as unknown }));
  const page = createContext({
    ...{ SwaggerUIBundle: swaggerUi, fetch: fetched, crypto: webcrypto, URL },
    location: { href: 'http://127.0.0.1:3000/docs' },
  });
  runInContext(readDocsFile('initializer.js').toString(), page);
  await vi.waitFor(() => expect(swaggerUi).toHaveBeenCalledTimes(1), { timeout: 20_000 });
  expect(fetched.mock.calls).toEqual([['/openapi.json']]);
  return swaggerUi.mock.calls[0]?.[0] as Options;
}

const intercept = async (request: Request): Promise<Record<string, string>> =>
  (await startPage()).requestInterceptor(request).headers ?? {};

const url = 'http://127.0.0.1:3000/v1/transactions';

it('the page asks no validator, and keeps no credential', async () => {
  expect(await startPage()).toMatchObject({
    validatorUrl: null,
    persistAuthorization: false,
    withCredentials: true,
  });
});

it('the page lets an idempotency key be left empty, and makes one for each request', async () => {
  const { spec, requestInterceptor } = await startPage();
  expect(spec.components.parameters['IdempotencyKey']?.required).toBe(false);
  const keys = [1, 2].map(() => requestInterceptor({ url, method: 'POST' }).headers);
  for (const headers of keys) expect(headers?.['Idempotency-Key']).toMatch(/^[0-9a-f]{32}$/);
  expect(keys[0]).not.toEqual(keys[1]);
});

it('the page keeps the idempotency key that was typed', async () => {
  const typed = { 'idempotency-key': 'mine' };
  expect(await intercept({ url, method: 'POST', headers: { ...typed } })).toEqual(typed);
});

it('the page adds no idempotency key to an operation that takes none', async () => {
  expect(await intercept({ url, method: 'GET' })).toEqual({});
  expect(await intercept({ url: `${url}/x`, method: 'POST' })).toEqual({});
});
