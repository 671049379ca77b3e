import { describe, expect, it } from 'vitest';
import { z } from 'zod';

import { statusOf } from '../http/problems.ts';
import { answer, defineRoute } from '../http/route.ts';
import { listRoutes } from '../index.ts';
import { createOpenApi } from './document.ts';
import { groupProblems } from './problems.ts';

const thing = z.object({ id: z.string().meta({ example: 'a' }) }).meta({ id: 'Thing' });

const routes = [
  defineRoute({
    method: 'POST',
    path: '/v1/things/:name',
    tag: 'things',
    summary: 'Make a thing',
    credential: 'required',
    idempotency: 'required',
    params: z.strictObject({ name: z.string() }),
    query: z.strictObject({
      limit: z.coerce.number().int().max(5).optional().meta({ description: 'How many' }),
    }),
    body: z.strictObject({ size: z.int().optional() }),
    answers: { 201: { description: 'Made', schema: thing } },
    problems: ['INSUFFICIENT_FUNDS', 'USER_NOT_FOUND'],
    run: () => Promise.resolve(answer(201)),
  }),
  defineRoute({
    method: 'GET',
    path: '/v1/things',
    tag: 'things',
    summary: 'List things',
    credential: 'none',
    answers: {
      200: {
        description: 'All',
        schema: z.object({ items: z.array(thing) }),
        contentTypes: ['text/csv'],
      },
      204: { description: 'None' },
    },
    problems: [],
    run: () => Promise.resolve(answer(204)),
  }),
];

const document = createOpenApi(routes);
const operationOf = (method: string, path: string) => document.paths[path]?.[method] ?? {};

describe('an operation of the OpenAPI document', () => {
  it('a route with a path parameter, a query and a key has all as parameters', () => {
    const { operationId, parameters, security } = operationOf('post', '/v1/things/{name}');
    expect(operationId).toBe('postThingsByName');
    expect(security).toEqual([{ bearer: [] }, { cookie: [] }]);
    expect(parameters).toEqual([
      { name: 'name', in: 'path', required: true, schema: { type: 'string' } },
      {
        name: 'limit',
        in: 'query',
        description: 'How many',
        schema: { type: 'integer', maximum: 5 },
      },
      { $ref: '#/components/parameters/IdempotencyKey' },
      { $ref: '#/components/parameters/RequestId' },
    ]);
  });

  it('a request is strict, and an answer may get more members', () => {
    const { requestBody } = operationOf('post', '/v1/things/{name}');
    expect(requestBody).toMatchObject({
      required: false,
      content: { 'application/json': { schema: { additionalProperties: false } } },
    });
    expect(document.components['schemas']?.['Thing']).toEqual({
      type: 'object',
      properties: { id: { type: 'string', examples: ['a'] } },
      required: ['id'],
    });
  });

  it('an answer with several content types has each, and one without a body has none', () => {
    const { responses } = operationOf('get', '/v1/things') as unknown as {
      responses: Record<string, { content?: Record<string, unknown> }>;
    };
    expect(Object.keys(responses['200']?.content ?? {})).toEqual(['application/json', 'text/csv']);
    expect(responses['204']).not.toHaveProperty('content');
    expect(responses).not.toHaveProperty('401');
  });

  it('a reason of a route is documented at its status, and the others are shared', () => {
    const { responses } = operationOf('post', '/v1/things/{name}') as unknown as {
      responses: Record<string, { description?: string; $ref?: string }>;
    };
    expect(responses['409']?.description).toBe('`INSUFFICIENT_FUNDS`');
    expect(responses['404']?.description).toBe('`USER_NOT_FOUND`');
    expect(responses['401']?.$ref).toBe('#/components/responses/Unauthenticated');
    const unauthenticated = document.components['responses']?.['Unauthenticated'];
    expect(unauthenticated?.['headers']).toHaveProperty('WWW-Authenticate');
    expect(unauthenticated?.['description']).toContain('`TOKEN_EXPIRED`');
  });

  it('two different schemas with one id are a mistake', () => {
    const other = z.object({ id: z.int() }).meta({ id: 'Thing2' });
    const clash = defineRoute({
      ...routes[1]!,
      method: 'PUT',
      body: other,
      answers: { 200: { description: 'x', schema: z.object({ a: other.optional() }) } },
    });
    expect(() => createOpenApi([clash])).not.toThrow();
    const withDefault = z.object({ n: z.int().default(1) }).meta({ id: 'Thing3' });
    const differing = defineRoute({
      ...routes[1]!,
      method: 'PUT',
      body: withDefault,
      answers: { 200: { description: 'x', schema: withDefault } },
    });
    expect(() => createOpenApi([differing])).toThrow('two schemas have the id Thing3');
  });
});

describe('the OpenAPI document', () => {
  it('the document of all routes is the same each time that it is made', () => {
    const make = (): string => JSON.stringify(createOpenApi(listRoutes('BRL')));
    expect(make()).toBe(make());
  });

  it.each(listRoutes('BRL').map((route) => [route.method, route.path, route] as const))(
    'each reason of %s %s is grouped under its status',
    (_method, _path, route) => {
      const groups = groupProblems(route);
      for (const reason of route.problems) {
        expect(groups.get(statusOf(reason, route.problemStatuses))).toContain(reason);
      }
    },
  );
});
