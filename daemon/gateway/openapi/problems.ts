import { z } from 'zod';

import {
  fault,
  httpFaults,
  isHttpFault,
  statusOf,
  titleOf,
  toProblem,
  type ProblemReason,
} from '../http/problems.ts';
import type { Route } from '../http/route.ts';
import { decorateSimpleProblem, isSimplePath } from '../simple/problems.ts';
import type { JsonSchema } from './schemas.ts';

/** What every answer that is a refusal has: RFC 9457, with our members. */
export const problemSchema = z
  .object({
    type: z.string().meta({ format: 'uri-reference', description: 'What the reason means' }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: 'For people; the text may change' }),
    instance: z.string().meta({ format: 'uri' }),
    reason: z.string().meta({ description: 'For programs; docs: `/docs/errors`' }),
    field: z.string().optional().meta({ description: 'The field of the request that is wrong' }),
    metadata: z
      .record(z.string(), z.string())
      .optional()
      .meta({ description: 'Values that the detail names' }),
    requestId: z.string(),
    retryAfterMs: z.int().optional().meta({ description: 'When to send it again' }),
    outcome: z.literal('unknown').optional().meta({
      description: 'It may have been done: send it again with the same `Idempotency-Key`',
    }),
  })
  .meta({ id: 'Problem' });

/** Refusals of the simple API, with the members that clients of the original read. */
export const simpleProblemSchema = problemSchema
  .extend({
    error: z.array(z.string()).meta({ description: 'The detail, for clients of the original' }),
    statusCode: z.literal(401).optional(),
    message: z.literal('Unauthorized').optional(),
  })
  .meta({ id: 'SimpleProblem' });

const ofEveryRoute: readonly ProblemReason[] = [
  ...(['INVALID_ARGUMENT', 'URI_INVALID', 'REQUEST_MALFORMED', 'HEADERS_TOO_LARGE'] as const),
  ...(['REQUEST_TIMEOUT', 'THROTTLED'] as const),
  ...(['INTERNAL', 'UNIMPLEMENTED', 'OVERLOADED', 'DATABASE_UNAVAILABLE'] as const),
  ...(['DATABASE_BUSY', 'AUTH_UNAVAILABLE', 'WALLET_UNAVAILABLE'] as const),
  ...(['STATEMENT_UNAVAILABLE', 'SHUTTING_DOWN'] as const),
  ...(['DEADLINE_EXCEEDED', 'OUTCOME_UNKNOWN'] as const),
];

const ofCredentials: readonly ProblemReason[] = [
  ...(['CREDENTIALS_MISSING', 'TOKEN_INVALID', 'TOKEN_EXPIRED', 'TOKEN_REVOKED'] as const),
  ...(['PERMISSION_DENIED', 'TOTP_ENROLMENT_REQUIRED'] as const),
  'HOST_UNKNOWN',
];

const ofBodies: readonly ProblemReason[] = [
  ...(['JSON_INVALID', 'BODY_TOO_LARGE', 'MEDIA_TYPE_UNSUPPORTED'] as const),
];

const originRefused: ProblemReason = 'ORIGIN_REFUSED';

type Kind = Pick<Route, 'path' | 'credential' | 'method' | 'problems' | 'problemStatuses'>;

/** The reasons with which a route can refuse, its own and those of every route, by status. */
export function groupProblems(route: Kind): ReadonlyMap<number, readonly ProblemReason[]> {
  const reasons = new Set([
    ...ofEveryRoute,
    ...(route.credential === 'required' ? ofCredentials : []),
    ...(route.credential === 'required' && route.method !== 'GET' ? [originRefused] : []),
    ...(route.method === 'GET' ? [] : ofBodies),
    ...route.problems,
  ]);
  const groups = new Map<number, ProblemReason[]>();
  for (const reason of [...reasons].sort()) {
    const status = statusOf(reason, route.problemStatuses);
    groups.set(status, [...(groups.get(status) ?? []), reason]);
  }
  return new Map([...groups].sort(([a], [b]) => a - b));
}

/** Names of responses that routes share, by their status. */
const responseNames: Readonly<Record<number, string>> = {
  400: 'BadRequest',
  401: 'Unauthenticated',
  403: 'Forbidden',
  408: 'RequestTimeout',
  413: 'BodyTooLarge',
  415: 'UnsupportedMediaType',
  421: 'UnknownHost',
  429: 'Throttled',
  431: 'HeadersTooLarge',
  500: 'Internal',
  501: 'Unimplemented',
  503: 'Unavailable',
  504: 'OutcomeUnknown',
};

/** By status and reasons, the names of the groups that no route adds a reason to. */
const sharedNames = new Map<string, string>();
for (const credential of ['required', 'none'] as const) {
  for (const method of ['GET', 'POST'] as const) {
    const kind = { path: '', credential, method, problems: [] };
    for (const [status, reasons] of groupProblems(kind)) {
      const key = keyOf(status, reasons);
      const name = responseNames[status] ?? `Status${status}`;
      const isTaken = [...sharedNames.values()].includes(name);
      if (!sharedNames.has(key)) sharedNames.set(key, isTaken ? `${name}WithBody` : name);
    }
  }
}

function keyOf(status: number, reasons: readonly ProblemReason[]): string {
  return [status, ...reasons].join(' ');
}

export type ProblemCollection = {
  /** The responses of a route that are problems, by status. */
  add(route: Kind): Readonly<Record<string, JsonSchema>>;
  listResponses(): Readonly<Record<string, JsonSchema>>;
  listExamples(): Readonly<Record<string, JsonSchema>>;
};

/** Describes refusals; those that several routes have become components. */
export function createProblems(schemas: {
  readonly plain: JsonSchema;
  readonly simple: JsonSchema;
}): ProblemCollection {
  const responses = new Map<string, JsonSchema>();
  const examples = new Map<string, JsonSchema>();
  return {
    add: (route) => {
      const made: Record<string, JsonSchema> = {};
      const isSimple = isSimplePath(route.path);
      const [schema, prefix] = isSimple ? [schemas.simple, 'Simple'] : [schemas.plain, ''];
      for (const [status, reasons] of groupProblems(route)) {
        for (const reason of reasons) examples.set(`${prefix}${reason}`, toExample(reason, route));
        const response = toResponse(status, reasons, schema, prefix);
        const shared = sharedNames.get(keyOf(status, reasons));
        if (shared !== undefined) responses.set(`${prefix}${shared}`, response);
        const reference = `#/components/responses/${prefix}${shared ?? ''}`;
        made[status] = shared === undefined ? response : { $ref: reference };
      }
      return made;
    },
    listResponses: () => sorted(responses),
    listExamples: () => sorted(examples),
  };
}

const sorted = <T>(map: ReadonlyMap<string, T>): Record<string, T> =>
  Object.fromEntries([...map].sort(([a], [b]) => (a < b ? -1 : 1)));

function toResponse(
  status: number,
  reasons: readonly ProblemReason[],
  problem: JsonSchema,
  prefix: string,
): JsonSchema {
  const headers = [
    'X-Request-Id',
    ...(status === 401 ? ['WWW-Authenticate'] : []),
    ...(status === 429 || status === 503 ? ['Retry-After'] : []),
    ...(status === 416 ? ['Content-Range'] : []),
  ];
  const examples = reasons.map((reason) => [
    reason,
    { $ref: `#/components/examples/${prefix}${reason}` },
  ]);
  return {
    description: reasons.map((reason) => `\`${reason}\``).join(', '),
    headers: referHeaders(headers),
    content: {
      'application/problem+json': {
        schema: { allOf: [problem, { properties: { reason: { enum: reasons } } }] },
        examples: Object.fromEntries(examples) as object,
      },
    },
  };
}

/** References to headers that the components describe. */
export const referHeaders = (names: readonly string[]): JsonSchema =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));

const exampleRequestId = '0d0c2f0e-7a55-4a0c-9d0e-3f1c6a1e5b77';

/** What is answered for a reason; the same at every time. */
function toExample(reason: ProblemReason, { path, problemStatuses }: Kind): JsonSchema {
  const status = statusOf(reason, problemStatuses);
  const metadata: Record<string, string> = {};
  if (status === 503) metadata['retryAfterMs'] = '1000';
  if (status === 429) metadata['retryAfterSeconds'] = '30';
  const detail = isHttpFault(reason) ? httpFaults[reason].title : titleOf(reason);
  const ways = problemStatuses === undefined ? {} : { problemStatuses };
  const problem = toProblem(fault(reason, detail, metadata), exampleRequestId, ways);
  const value = decorateSimpleProblem(path, problem);
  return { summary: titleOf(reason), value };
}
