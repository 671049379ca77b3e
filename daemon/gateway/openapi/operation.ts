import type { z } from 'zod';

import type { DescribedAnswer, Route } from '../http/route.ts';
import { referHeaders, type ProblemCollection } from './problems.ts';
import type { JsonSchema, SchemaCollection } from './schemas.ts';

/** `/v1/wallets/:user` as OpenAPI writes it: `/v1/wallets/{user}`. */
export const templateOf = (path: string): string => path.replace(/:(\w+)/g, '{$1}');

/** `GET /v1/wallets/:user/:currency` is `getWalletsByUserByCurrency`. */
function operationIdOf({ method, path }: Pick<Route, 'method' | 'path'>): string {
  const parts = path
    .split('/')
    .filter((part) => part !== '' && part !== 'v1')
    .flatMap((part) => (part.startsWith(':') ? ['by', part.slice(1)] : part.split(/[-.]/)))
    .map((word) => `${word.charAt(0).toUpperCase()}${word.slice(1)}`);
  return [method.toLowerCase(), ...parts].join('');
}

/** An operation of OpenAPI 3.1. */
export function toOperation(
  route: Route,
  schemas: SchemaCollection,
  problems: ProblemCollection,
): JsonSchema {
  const { tag, summary, description, credential } = route;
  return {
    operationId: operationIdOf(route),
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    security: credential === 'none' ? [] : [{ bearer: [] }, { cookie: [] }],
    parameters: listParameters(route, schemas),
    ...(route.body ? { requestBody: toRequestBody(route, route.body, schemas) } : {}),
    responses: { ...listAnswers(route, schemas), ...problems.add(route) },
  };
}

function listParameters(route: Route, schemas: SchemaCollection): JsonSchema[] {
  const { params, query, idempotency, headers = {} } = route;
  const ofHeaders = Object.entries(headers).map(([name, { description, example }]) => ({
    ...{ name, in: 'header', description },
    schema: { type: 'string' },
    ...(example === undefined ? {} : { example }),
  }));
  return [
    ...toParameters('path', params, schemas),
    ...toParameters('query', query, schemas),
    ...(idempotency === 'required' ? [referParameter('IdempotencyKey')] : []),
    ...(idempotency === 'optional' ? [referParameter('OptionalIdempotencyKey')] : []),
    ...ofHeaders,
    referParameter('RequestId'),
  ];
}

const referParameter = (name: string): JsonSchema => ({ $ref: `#/components/parameters/${name}` });

/** A parameter for each property of an object. */
function toParameters(
  place: 'path' | 'query',
  schema: z.ZodType | undefined,
  schemas: SchemaCollection,
): JsonSchema[] {
  if (!schema) return [];
  const { properties = {}, required = [] } = schemas.add(schema, 'input') as {
    readonly properties?: Readonly<Record<string, JsonSchema>>;
    readonly required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...property }]) => ({
    ...{ name, in: place },
    ...(description === undefined ? {} : { description }),
    ...(required.includes(name) ? { required: true } : {}),
    schema: property,
  }));
}

const toRequestBody = (
  { bodyExample }: Route,
  body: z.ZodType,
  schemas: SchemaCollection,
): JsonSchema => ({
  required: !body.safeParse({}).success,
  content: {
    'application/json': {
      schema: schemas.add(body, 'input'),
      ...(bodyExample === undefined ? {} : { example: bodyExample }),
    },
  },
});

function listAnswers({ answers }: Route, schemas: SchemaCollection): Record<string, JsonSchema> {
  const described = Object.entries(answers).map(([status, answer]) => [
    status,
    toResponse(answer, schemas),
  ]);
  return Object.fromEntries(described) as Record<string, JsonSchema>;
}

function toResponse(answer: DescribedAnswer, schemas: SchemaCollection): JsonSchema {
  const { description, schema, contentTypes = [], example } = answer;
  const { headers = {}, optionalHeaders = {} } = answer;
  const ofJson = schema && {
    'application/json': {
      schema: schemas.add(schema, 'output'),
      ...(example === undefined ? {} : { example }),
    },
  };
  const ofTexts = contentTypes.map((type) => [type, { schema: { type: 'string' } }]);
  const content = { ...ofJson, ...(Object.fromEntries(ofTexts) as object) };
  const own = Object.entries(headers).map(([name, says]) => [
    name,
    { description: says, required: true, schema: { type: 'string' } },
  ]);
  const sometimes = Object.entries(optionalHeaders).map(([name, says]) => [
    name,
    { description: says, schema: { type: 'string' } },
  ]);
  return {
    description,
    headers: {
      ...referHeaders(['X-Request-Id']),
      ...(Object.fromEntries([...own, ...sometimes]) as object),
    },
    ...(Object.keys(content).length === 0 ? {} : { content }),
  };
}
