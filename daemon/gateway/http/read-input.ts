import type { FastifyRequest } from 'fastify';
import { z } from 'zod';

import { fault, found, type Found } from './problems.ts';
import type { Route } from './route.ts';

type Input = { readonly params: unknown; readonly query: unknown; readonly body: unknown };

/** The parts of a request, each as its schema wants it. */
export function readInput(route: Route, request: FastifyRequest): Found<Input> {
  const params = check(route.params, request.params, 'path');
  if (!params.ok) return params;
  const query = check(route.query ?? noQuery, request.query, 'query');
  if (!query.ok) return query;
  const body = check(route.body, request.body ?? {}, 'body');
  if (!body.ok) return body;
  return found({ params: params.value, query: query.value, body: body.value });
}

const noQuery = z.strictObject({});

/** The first thing that is wrong, with the field. */
function check(schema: z.ZodType | undefined, value: unknown, part: string): Found<unknown> {
  if (!schema) return found(undefined);
  const parsed = schema.safeParse(value);
  if (parsed.success) return found(parsed.data);
  const [issue] = parsed.error.issues;
  const unknownKey = issue?.code === 'unrecognized_keys' ? issue.keys[0] : undefined;
  const path = [...(issue?.path ?? []), ...(unknownKey === undefined ? [] : [unknownKey])];
  const field = path.map(String).join('.') || part;
  const says = unknownKey === undefined ? (issue?.message ?? 'is invalid') : 'is not known';
  const message = `${field.slice(0, 200)}: ${says}`;
  return { ok: false, fault: fault('INVALID_ARGUMENT', message, { field: field.slice(0, 200) }) };
}
