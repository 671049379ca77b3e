import packageJson from '../../../package.json' with { type: 'json' };
import type { Route } from '../http/route.ts';
import { sessionCookie } from '../http/request.ts';
import { templateOf, toOperation } from './operation.ts';
import { createProblems, problemSchema, simpleProblemSchema } from './problems.ts';
import { createSchemas, type JsonSchema } from './schemas.ts';

/** A document of OpenAPI 3.1, as far as programs of ours look into it. */
export type OpenApi = {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>;
} & JsonSchema;

const description = `Wallets that keep money: deposits, withdrawals, purchases, and what undoes them.

**Money** is a decimal string beside its currency (\`"159.99"\`, \`"BRL"\`), in requests too. Times are
RFC 3339.

**Credentials.** \`Authorization: Bearer\` with an access token or an API key, or the session cookie of
a browser.

**Idempotency.** A request that moves money has an \`Idempotency-Key\` of its own. Sent again with the
same key it is done once, and answered with status 200 and \`Idempotency-Replayed: true\`. After a
status of 503 or 504, or no answer, send the same request with the same key.

**Refusals** are problems (RFC 9457, \`application/problem+json\`). Programs use \`reason\`; the page
[/docs/errors](/docs/errors) lists all of them.

**Lists** are pages: \`limit\`, \`pageToken\`, and a header \`Link\` to the next page.`;

/** What the tags of routes are about. */
const tagDescriptions: Readonly<Record<string, string>> = {
  'sign-in': 'Accounts of one’s own, and tokens',
  sessions: 'The caller, its sessions and its password',
  users: 'Accounts, for staff',
  'API keys': 'Credentials for programs',
  transactions: 'Movements of money, and what undoes them',
  wallets: 'Balances of users, and who may use them',
  holds: 'Money that is reserved until it is captured, released, or its time is over',
  statements: 'All transactions of a wallet in a period',
  exports: 'Statements as files, written in the background',
  events: 'Transactions as they are made',
  'simple API': 'Few routes, a session cookie, and the shapes of the API that came before',
};

/** Makes the document of the routes: the same for the same routes. */
export function createOpenApi(routes: readonly Route[]): OpenApi {
  const schemas = createSchemas();
  const problems = createProblems({
    plain: schemas.add(problemSchema, 'output'),
    simple: schemas.add(simpleProblemSchema, 'output'),
  });
  const paths: Record<string, Record<string, JsonSchema>> = {};
  for (const route of routes) {
    const item = (paths[templateOf(route.path)] ??= {});
    item[route.method.toLowerCase()] = toOperation(route, schemas, problems);
  }
  const tags = [...new Set(routes.map(({ tag }) => tag))].map((name) => ({
    name,
    ...(tagDescriptions[name] === undefined ? {} : { description: tagDescriptions[name] }),
  }));
  const content = { paths, responses: problems.listResponses() };
  return {
    openapi: '3.1.0',
    info: {
      title: 'Digital Wallet',
      version: packageJson.version,
      description,
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: '/', description: 'This server' }],
    tags,
    paths,
    components: {
      securitySchemes,
      parameters: keepUsed('parameters', parameters, content),
      headers: keepUsed('headers', headers, content),
      schemas: schemas.list(),
      responses: content.responses,
      examples: problems.listExamples(),
    },
  };
}

/** The components that something refers to. */
function keepUsed(
  kind: string,
  components: Readonly<Record<string, JsonSchema>>,
  content: object,
): Record<string, JsonSchema> {
  const text = JSON.stringify(content);
  const isUsed = (name: string): boolean => text.includes(`"#/components/${kind}/${name}"`);
  return Object.fromEntries(Object.entries(components).filter(([name]) => isUsed(name)));
}

const securitySchemes = {
  bearer: {
    type: 'http',
    scheme: 'bearer',
    description: 'An access token of 15 minutes, or an API key',
  },
  cookie: {
    ...{ type: 'apiKey', in: 'cookie', name: sessionCookie },
    description: 'The session of a browser. Writes must come from a page of this server.',
  },
};

const keySchema = {
  ...{ type: 'string', minLength: 1, maxLength: 255 },
  examples: ['6f1d3c1e-5d6f-4a2b-8a52-9a1f5f1f7c20'],
};

const parameters = {
  IdempotencyKey: {
    ...{ name: 'Idempotency-Key', in: 'header', required: true },
    description: 'Identifies the transaction within its wallet; never expires. Bare, or quoted.',
    schema: keySchema,
  },
  OptionalIdempotencyKey: {
    ...{ name: 'Idempotency-Key', in: 'header' },
    description: 'Without one, each request makes something new. Bare, or quoted.',
    schema: keySchema,
  },
  RequestId: {
    ...{ name: 'X-Request-Id', in: 'header' },
    description: 'Of the client, for the log; without one the server makes one.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9_-]{8,64}$' },
  },
};

const headers = {
  'X-Request-Id': {
    description: 'Names the request in the log of the server',
    required: true,
    schema: { type: 'string' },
  },
  'Retry-After': {
    ...{ description: 'Seconds until another try', required: true },
    schema: { type: 'integer' },
  },
  'WWW-Authenticate': { description: '`Bearer`', required: true, schema: { type: 'string' } },
  'Content-Range': { description: '`bytes */SIZE`', required: true, schema: { type: 'string' } },
};
