import { request as requestHttp, Agent } from 'node:http';
import { randomUUID } from 'node:crypto';

import { vi } from 'vitest';

import type { Role } from '../../../core/roles.ts';
import type { Route } from '../../../daemon/gateway/http/route.ts';
import { bearer } from '../../support/http/client.ts';
import {
  send,
  startGateway,
  type GatewayWorld,
  type HttpAnswer,
} from '../../support/http/gateway.ts';
import { createPeople, password, type Tokens } from '../../support/http/people.ts';
import type { HttpRequest, Things } from './requests.ts';

export type Who = {
  readonly id: string;
  readonly email: string;
  readonly role: Role;
  readonly token: string;
  /** The header: `token=dws_…`. */
  readonly cookie: string;
};

type Key = { readonly id: string; readonly secret: string; readonly expiresAtMs: number };
type Asked = { readonly headers?: Readonly<Record<string, string>>; readonly body?: unknown };

export type HttpStage = {
  readonly world: GatewayWorld;
  readonly people: Readonly<Record<'ana' | 'bia' | 'operator' | 'admin', Who>>;
  readonly things: Readonly<Record<'ana' | 'bia', Things>>;
  /** Makes a person, with a session of each kind. */
  enter(role: Role): Promise<Who>;
  signIn(email: string): Promise<Tokens>;
  /** The header `Cookie` of a new session. */
  signInBrowser(email: string): Promise<string>;
  createKey(owner: Who, scopes: readonly string[], lifeMs?: number): Promise<Key>;
  /** Sends what must be done. */
  must(method: string, path: string, asked: Asked): Promise<HttpAnswer>;
  /** Sends a request of a route with exactly these headers, `Host` as well. */
  ask(
    route: Route,
    request: HttpRequest,
    headers: Readonly<Record<string, string>>,
  ): Promise<Asking>;
  stop(): Promise<void>;
};

type Asking = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
  /** The RPCs that it led to. */
  readonly rpcs: readonly string[];
};

export type { Asking };

/** A gateway and services in this process, with people who own something. */
export async function setHttpStage(): Promise<HttpStage> {
  const world = await startGateway();
  const agent = new Agent({ keepAlive: true, maxSockets: 16 });
  const { create, signIn } = createPeople(() => world);
  const must: HttpStage['must'] = async (method, path, { headers = {}, body }) => {
    const answer = await send(world.url, method, path, { headers: { ...headers }, body });
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.text}`);
    return answer;
  };
  const signInBrowser = async (email: string): Promise<string> => {
    const { headers } = await must('POST', '/auth/sign-in', { body: { email, password } });
    return headers.get('set-cookie')?.split(';')[0] ?? '';
  };
  const enter = async (role: Role): Promise<Who> => {
    const person = await create(role);
    return { ...person, role, cookie: await signInBrowser(person.email) };
  };
  const createKey: HttpStage['createKey'] = async (owner, scopes, lifeMs = 3_600_000) => {
    const expiresAtMs = Date.now() + lifeMs;
    const expiresAt = new Date(expiresAtMs).toISOString();
    const body = { name: 'matrix', scopes, expiresAt };
    const made = await must('POST', '/v1/api-keys', { headers: bearer(owner.token), body });
    return { ...(made.body as Pick<Key, 'id' | 'secret'>), expiresAtMs };
  };
  const shared = { world, enter, signIn, signInBrowser, createKey, must };
  const people = {
    ana: await enter('customer'),
    bia: await enter('customer'),
    operator: await enter('operator'),
    admin: await enter('admin'),
  };
  return {
    ...shared,
    people,
    things: {
      ana: await own(shared, people.ana, people.operator),
      bia: await own(shared, people.bia, people.operator),
    },
    ask: (route, request, headers) => ask(world, agent, route, request, headers),
    stop: async () => {
      agent.destroy();
      await world.stop();
    },
  };
}

/** Something of each kind; a hold is placed by the staff. */
async function own(
  { must, signIn, createKey }: Pick<HttpStage, 'must' | 'signIn' | 'createKey'>,
  who: Who,
  operator: Who,
): Promise<Things> {
  const headers = bearer(who.token);
  const key = `key of ${who.email}`;
  const pay = async (idempotencyKey: string) => {
    const body = { operation: 'deposit', amount: '9.00', description: `private of ${who.email}` };
    const sent = { headers: { ...headers, 'idempotency-key': idempotencyKey }, body };
    return (await must('POST', '/v1/transactions', sent)).body['id'] as string;
  };
  const transactionId = await pay(key);
  await pay(randomUUID());
  const held = await must('POST', '/v1/holds', {
    headers: { ...bearer(operator.token), 'idempotency-key': randomUUID() },
    body: { user: who.id, amount: '1.00' },
  });
  const listed = await must('GET', '/v1/transactions?limit=1', { headers });
  const range = { from: new Date(Date.now() - 86_400_000).toISOString() };
  const body = { ...range, to: new Date().toISOString() };
  const ordered = await must('POST', '/v1/exports', { headers, body });
  const exportId = ordered.body['id'] as string;
  await vi.waitFor(
    async () => {
      const got = await must('GET', `/v1/exports/${exportId}?wait=10`, { headers });
      if (got.body['status'] !== 'done') throw new Error(got.text);
    },
    { timeout: 20_000 },
  );
  return {
    ...{ userId: who.id, email: who.email, transactionId, key, exportId },
    holdId: held.body['id'] as string,
    pageToken: listed.body['nextPageToken'] as string,
    sessionId: (await signIn(who.email)).sessionId,
    apiKeyId: (await createKey(who, ['wallets:read'])).id,
  };
}

/** An endless stream is left once its head is there. */
function ask(
  world: GatewayWorld,
  agent: Agent,
  route: Route,
  { params = {}, query = {}, body, headers: own = {} }: HttpRequest,
  headers: Readonly<Record<string, string>>,
): Promise<Asking> {
  const path = route.path.replace(/:(\w+)/g, (_all, name: string) =>
    encodeURIComponent(params[name] ?? ''),
  );
  const search = new URLSearchParams(query).toString();
  const requestId = randomUUID();
  const sent = {
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...own,
    ...headers,
    'x-request-id': requestId,
  };
  return new Promise((resolve, reject) => {
    const url = `${world.url}${path}${search === '' ? '' : `?${search}`}`;
    const sending = requestHttp(url, { method: route.method, agent, headers: sent }, (response) => {
      const chunks: Buffer[] = [];
      const end = (): void => {
        const text = Buffer.concat(chunks).toString();
        const type = response.headers['content-type'] ?? '';
        const parsed = /json$|json;/.test(type) ? (JSON.parse(text) as Asking['body']) : {};
        const { statusCode: status = 0, headers: got } = response;
        resolve({ status, headers: got, text, body: parsed, rpcs: world.callsOf(requestId) });
      };
      if (response.headers['content-type'] === 'text/event-stream') {
        response.destroy();
        end();
        return;
      }
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('end', end);
      response.once('error', reject);
    });
    sending.once('error', reject);
    sending.end(body === undefined ? undefined : JSON.stringify(body));
  });
}
