import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { listRoutes } from '../../../daemon/gateway/index.ts';
import type { Route } from '../../../daemon/gateway/http/route.ts';
import { admissionReasons } from '../callers.ts';
import { rpcs, type Rpc } from '../rpcs.ts';
import { anyCredential, castOverHttp, expectOverHttp, type HttpCaller } from './callers.ts';
import { readContents, readSettledContents } from './contents.ts';
import { rows, type Row, type Things } from './requests.ts';
import { setHttpStage, type Asking, type HttpStage } from './stage.ts';

const routes = listRoutes('BRL').map((route) => ({ route, name: nameOf(route) }));
const counts = { in: 0, refused: 0 };
const callersBy: Record<HttpCaller['form'], number> = {
  ...{ none: 0, bearer: 0, cookie: 0, 'another scheme': 0 },
};

let stage: HttpStage;
let callers: readonly HttpCaller[];

beforeAll(async () => {
  stage = await setHttpStage();
  callers = await castOverHttp(stage);
  for (const { form } of callers) callersBy[form] += 1;
});

afterAll(async () => {
  const forms = Object.entries(callersBy).map(([form, count]) => `${form} ${count}`);
  console.info(
    `access matrix over HTTP: ${counts.in + counts.refused} cells: ${routes.length} routes, ` +
      `${callers.length} callers (${forms.join(', ')}); ${counts.in} admitted, ` +
      `${counts.refused} refused`,
  );
  await stage.stop();
});

function nameOf({ method, path }: Route): string {
  return `${method} ${path}`;
}

function rowOf(name: string): Row {
  const row = rows[name];
  if (!row) throw new Error(`requests.ts has no row for ${name}`);
  return row;
}

function rpcOf(name: string): Rpc {
  const rpc = rpcs.find((each) => each.name === rowOf(name).rpc);
  if (!rpc) throw new Error(`there is no RPC ${rowOf(name).rpc}`);
  return rpc;
}

it('every route has a row, and every row a route', () => {
  expect(Object.keys(rows).sort()).toEqual(routes.map(({ name }) => name).sort());
});

/** The answers of the gateway itself; no RPC has been asked. */
const ownReasons = new Set(['HOST_UNKNOWN', 'ORIGIN_REFUSED']);
const statuses: Readonly<Record<string, number>> = {
  ...{ CREDENTIALS_MISSING: 401, TOKEN_INVALID: 401, TOKEN_EXPIRED: 401, TOKEN_REVOKED: 401 },
  ...{ PERMISSION_DENIED: 403, ORIGIN_REFUSED: 403, HOST_UNKNOWN: 421 },
};

/** About the caller: a refusal that names another field than these is about the request. */
function isOfCaller({ body: { reason, field } }: Asking): boolean {
  const isKnown = admissionReasons.has(String(reason)) || ownReasons.has(String(reason));
  return isKnown && [undefined, 'Cookie', 'Host', 'Origin'].includes(field as string | undefined);
}

/** What is wrong with an answer to a caller who must be admitted. */
function findFaultOfAdmitted(answer: Asking, asks: string): string | undefined {
  const { status, body, text, rpcs: asked } = answer;
  if (isOfCaller(answer)) return `kept out with ${String(body['reason'])}: ${text}`;
  if (status >= 500) return `answered ${status}: ${text}`;
  if (!asked[0]?.endsWith(asks)) return `asked ${asked.join() || 'nothing'}: ${status} ${text}`;
  return undefined;
}

/** What is wrong with an answer to a caller who must be refused. */
function findFaultOfRefused(
  { route, things }: { readonly route: Route; readonly things: Things },
  answer: Asking,
  reasons: readonly string[],
): string | undefined {
  const { status, body, headers, text } = answer;
  const reason = String(body['reason']);
  if (!reasons.includes(reason) || !isOfCaller(answer)) {
    return `${status} ${reason} instead of ${reasons.join(' or ')}: ${text}`;
  }
  const isProblem =
    headers['content-type'] === 'application/problem+json' &&
    status === statuses[reason] &&
    body['status'] === status &&
    body['type'] === `/docs/errors#${reason}` &&
    body['requestId'] === headers['x-request-id'] &&
    String(body['detail']) !== '';
  if (!isProblem) return `no problem of ${reason}: ${status} ${text}`;
  if ((status === 401) !== (headers['www-authenticate'] === 'Bearer')) return 'a wrong challenge';
  const isSimple = !route.path.startsWith('/v1/');
  if (isSimple !== Array.isArray(body['error'])) return 'not of the shape of its API';
  const cookies = headers['set-cookie'] ?? [];
  if ([cookies].flat().some((each) => !each.startsWith('token=;'))) return 'sets a cookie';
  const marks = [things.email, things.transactionId, things.exportId, things.apiKeyId];
  const shown = marks.find((mark) => text.includes(mark));
  return shown === undefined ? undefined : `shows ${shown}`;
}

/** A user has few streams: the place of one that was left is free a moment later. */
function untilFree(ask: () => Promise<Asking>): Promise<Asking> {
  const check = async () => {
    const answer = await ask();
    if (answer.body['reason'] === 'OVERLOADED') throw new Error(answer.text);
    return answer;
  };
  return vi.waitFor(check, { timeout: 20_000, interval: 100 });
}

describe('callers over HTTP', () => {
  it.each(routes)(
    '$name admits the allowed callers, and refuses others',
    async ({ route, name }) => {
      const row = rowOf(name);
      const { right, definition } = rpcOf(name);
      const expected = callers.map((caller) => ({
        caller,
        outcome: expectOverHttp(
          route,
          name === 'GET /v1/me' ? anyCredential(caller, right) : right,
          caller,
        ),
      }));
      const faults: string[] = [];
      // Their number slows down a network, which all callers share here.
      await stage.world.services.databases.auth.query('DELETE FROM attempts');
      const before = await readSettledContents(stage.world.services);
      await Promise.all(
        expected.map(async ({ caller, outcome }) => {
          if (outcome === 'in') return;
          counts.refused += 1;
          const things = stage.things.ana;
          const headers = await caller.headers(false);
          const answer = await stage.ask(route, row.effective(things), headers);
          const fault = findFaultOfRefused({ route, things }, answer, outcome);
          if (fault !== undefined) faults.push(`${caller.name}: ${fault}`);
        }),
      );
      expect(faults).toEqual([]);
      expect(await readContents(stage.world.services)).toEqual(before);
      const admitted = expected.filter(({ outcome }) => outcome === 'in');
      await Promise.all(
        admitted.map(async ({ caller }) => {
          counts.in += 1;
          const userId = caller.as === 'customer' ? '' : stage.people.ana.id;
          const headers = await caller.headers(row.endsSession === true);
          const ask = () => stage.ask(route, row.plain({ userId }), headers);
          const answer = await (name === 'GET /v1/events' ? untilFree(ask) : ask());
          const isKeyItself = name === 'GET /v1/me' && caller.scopes !== undefined;
          const asks = isKeyItself ? '/ValidateToken' : definition.path;
          const fault = findFaultOfAdmitted(answer, asks);
          if (fault !== undefined) faults.push(`${caller.name}: ${fault}`);
        }),
      );
      expect(faults).toEqual([]);
    },
  );
});
