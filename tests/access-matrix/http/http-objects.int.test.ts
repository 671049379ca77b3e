import { z } from 'zod';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { listRoutes } from '../../../daemon/gateway/index.ts';
import type { Route } from '../../../daemon/gateway/http/route.ts';
import { bearer } from '../../support/http/client.ts';
import { admissionReasons } from '../callers.ts';
import { rpcs } from '../rpcs.ts';
import { readContents, readSettledContents } from './contents.ts';
import { httpObjectRules, objectNames, staffOnly, type HttpObjectRule } from './objects.ts';
import { absent, rows, type Things } from './requests.ts';
import { setHttpStage, type Asking, type HttpStage } from './stage.ts';

type Headers = Readonly<Record<string, string>>;

const routes = new Map(listRoutes('BRL').map((route) => [`${route.method} ${route.path}`, route]));
const counts = { foreign: 0, staff: 0 };

let stage: HttpStage;
beforeAll(async () => {
  stage = await setHttpStage();
});
afterAll(async () => {
  const sum = counts.foreign + counts.staff;
  console.info(
    `objects over HTTP: ${sum} cells: ${httpObjectRules.length} ways to name an object; ` +
      `${counts.foreign} of customers with those of others, ${counts.staff} of staff`,
  );
  await stage.stop();
});

function routeOf(rule: HttpObjectRule): Route {
  const route = routes.get(rule.route);
  if (!route) throw new Error(`there is no route ${rule.route}`);
  return route;
}

/** Names of parameters and fields, those of items as well. */
function listFields(schema: z.ZodType | undefined): string[] {
  if (!schema) return [];
  const names: string[] = [];
  const look = (part: unknown): void => {
    if (typeof part !== 'object' || part === null) return;
    for (const [key, value] of Object.entries(part)) {
      if (key === 'properties') names.push(...Object.keys(value as object));
      look(value);
    }
  };
  look(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }));
  return names;
}

it('each parameter and field that names an object has a rule', () => {
  const named = [...routes].flatMap(([name, { params, query, body }]) => {
    const fields = new Set([params, query, body].flatMap(listFields));
    return objectNames.filter((field) => fields.has(field)).map((field) => `${name} ${field}`);
  });
  const ruled = httpObjectRules.map(({ route, names }) => `${route} ${names}`);
  const missing = named.filter(
    (each) => !ruled.includes(each) && !staffOnly.has(each.slice(0, each.lastIndexOf(' '))),
  );
  expect(missing).toEqual([]);
});

/** The refusal of the request, or of the one item of its batch. */
function refusalOf({ status, body }: Asking): Readonly<Record<string, unknown>> {
  const [first] = (body['items'] ?? []) as { readonly problem?: Record<string, unknown> }[];
  return first?.problem ?? (status >= 400 ? body : {});
}

/** Without ids, which only echo the request, and what each answer has of its own. */
function level(answer: Asking): string {
  const { requestId: _id, instance: _instance, ...shown } = refusalOf(answer);
  const text = JSON.stringify([answer.status, shown]);
  return text.replace(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, '<id>');
}

const marksOf = (of: Things): string[] => [
  `private of ${of.email}`,
  ...[of.email, of.transactionId, of.exportId, of.apiKeyId, of.sessionId, of.userId],
];

/** Bia with a credential of each form that the right of the route knows. */
async function formsOf(rule: HttpObjectRule): Promise<readonly (readonly [string, Headers])[]> {
  const { bia } = stage.people;
  const right = rpcs.find(({ name }) => name === rows[rule.route]?.rpc)?.right;
  const scope = right === 'public' ? undefined : right?.scope;
  const forms: [string, Headers][] = [
    ['an access token', bearer(bia.token)],
    ['a cookie', { cookie: bia.cookie }],
  ];
  const isOfCustomers = scope !== undefined && !/^(dead-letters|users)/.test(scope);
  if (isOfCustomers) {
    forms.push(['an API key', bearer((await stage.createKey(bia, [scope])).secret)]);
  }
  return forms;
}

describe('objects of other users over HTTP', () => {
  it.each(httpObjectRules)(
    '$route by $names hides objects of other users, and changes none',
    async (rule) => {
      const { ana, bia } = stage.things;
      const faults: string[] = [];
      const forms = await formsOf(rule);
      const before = await readSettledContents(stage.world.services);
      for (const [form, headers] of forms) {
        const ask = (of: Things) => stage.ask(routeOf(rule), rule.request(of), headers);
        const foreign = await ask(ana);
        counts.foreign += 1;
        const asked = JSON.stringify(rule.request(ana));
        const shown = marksOf(ana).filter((mark) => foreign.text.includes(mark));
        const leaks = shown.filter((mark) => !asked.includes(mark));
        faults.push(...leaks.map((mark) => `${form}: shows ${mark}`));
        for (const none of [absent(), absent()]) {
          counts.foreign += 1;
          const other = await ask(none);
          if (level(foreign) !== level(other)) {
            faults.push(`${form}: ${level(foreign)} differs from ${level(other)}`);
          }
          const reason = String(refusalOf(other)['reason']);
          if (!rule.hidden.includes(reason)) faults.push(`${form}: absent: ${other.text}`);
        }
      }
      expect(faults).toEqual([]);
      expect(await readContents(stage.world.services)).toEqual(before);
      for (const [form, headers] of forms.filter(() => !rule.route.startsWith('DELETE'))) {
        counts.foreign += 1;
        const own = await stage.ask(routeOf(rule), rule.request(bia), headers);
        const reason = String(refusalOf(own)['reason']);
        if (rule.hidden.includes(reason) || admissionReasons.has(reason)) {
          faults.push(`${form}: is kept from their own: ${own.text}`);
        }
      }
      expect(faults).toEqual([]);
    },
  );

  it.each(httpObjectRules.filter(({ staff }) => staff !== 'as the service likes'))(
    '$route by $names finds objects of customers for $staff only',
    async (rule) => {
      const faults: string[] = [];
      for (const person of [stage.people.operator, stage.people.admin]) {
        for (const headers of [bearer(person.token), { cookie: person.cookie }]) {
          counts.staff += 1;
          const answer = await stage.ask(routeOf(rule), rule.request(stage.things.ana), headers);
          const reason = String(refusalOf(answer)['reason']);
          const isKeptOut = rule.hidden.includes(reason) || admissionReasons.has(reason);
          if (isKeptOut === rule.staff.split(' ').includes(person.role)) {
            faults.push(`${person.role}: ${answer.status} ${reason}`);
          }
        }
      }
      expect(faults).toEqual([]);
    },
  );
});
