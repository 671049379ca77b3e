import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

import type { OpenApi } from '../../../daemon/gateway/openapi/document.ts';
import { send, type HttpAnswer } from './gateway.ts';

type Json = Readonly<Record<string, unknown>>;
type Response = { readonly headers?: Json; readonly content?: Readonly<Record<string, Json>> };

type Contract = {
  /** Throws, and says how, unless the answer is as the document says of its route and status. */
  check(method: string, path: string, answer: HttpAnswer): void;
  /** Sends a request, and checks the answer. */
  send(url: string, ...request: SendArguments): Promise<HttpAnswer>;
  /** `METHOD /path` of the operations that no checked answer of the kind was of. */
  listMissing(kind: 'well' | 'refused'): string[];
};

type SendArguments = Parameters<typeof send> extends [string, ...infer Rest] ? Rest : never;

/** Compares answers with an OpenAPI document. A member that it does not name is a difference. */
export function createContract(document: OpenApi): Contract {
  const components = toStrict(document.components['schemas'] ?? {}) as Json;
  const ajv = new Ajv2020({ allErrors: true, strictTypes: false });
  (addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
  const operations = Object.entries(document.paths).flatMap(([template, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${template}`,
      method: method.toUpperCase(),
      pattern: new RegExp(`^${template.replace(/\{\w+\}/g, '([^/]+)')}$`),
      parameterCount: template.split('{').length,
      responses: operation['responses'] as Readonly<Record<string, Json>>,
      seen: new Set<'well' | 'refused'>(),
    })),
  );
  const validators = new Map<string, ValidateFunction>();
  const validatorOf = (key: string, schema: unknown): ValidateFunction => {
    const known = validators.get(key);
    if (known) return known;
    const text = JSON.stringify({ ...(toStrict(schema) as Json), $defs: components });
    const moved = JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')) as Json;
    const made = ajv.compile(moved);
    validators.set(key, made);
    return made;
  };
  const check = (method: string, path: string, answer: HttpAnswer): void => {
    const [pathname = ''] = path.split('?');
    // Of two paths the concrete one counts.
    const [operation] = operations
      .filter((each) => each.method === method && each.pattern.test(pathname))
      .sort((a, b) => a.parameterCount - b.parameterCount);
    if (!operation) throw new Error(`the document has no ${method} ${pathname}`);
    const what = `${operation.name}, status ${answer.status}`;
    const response = resolve(document, operation.responses[answer.status]);
    if (!response) throw new Error(`${what} is not documented: ${answer.text.slice(0, 500)}`);
    for (const name of ['x-request-id', ...Object.keys(response.headers ?? {})]) {
      if (optionalHeaders.has(name) || answer.headers.has(name)) continue;
      throw new Error(`${what} has no header ${name}`);
    }
    operation.seen.add(answer.status < 400 ? 'well' : 'refused');
    const { content } = response;
    if (!content) {
      if (answer.text !== '') throw new Error(`${what} has a body, and none is documented`);
      return;
    }
    const [type = ''] = (answer.headers.get('content-type') ?? '').split(';');
    const media = content[type];
    if (!media) throw new Error(`${what} has the undocumented content type ${type}`);
    if (!type.endsWith('json') || isText(media['schema'])) return;
    const validate = validatorOf(`${what} ${type}`, media['schema']);
    if (validate(answer.body)) return;
    const errors = ajv.errorsText(validate.errors, { dataVar: 'the body' });
    throw new Error(`${what} is not as documented: ${errors}: ${answer.text.slice(0, 500)}`);
  };
  return {
    check,
    send: async (url, ...request) => {
      const answer = await send(url, ...request);
      check(request[0], request[1], answer);
      return answer;
    },
    listMissing: (kind) => operations.filter(({ seen }) => !seen.has(kind)).map(({ name }) => name),
  };
}

/** Not on each answer of their route. */
const optionalHeaders: ReadonlySet<string> = new Set(['Link']);

const isText = (schema: unknown): boolean => (schema as Json)['type'] === 'string';

/** A response, where it is a reference that of the components. */
function resolve(document: OpenApi, response: Json | undefined): Response | undefined {
  const reference = response?.['$ref'];
  if (typeof reference !== 'string') return response;
  return document.components['responses']?.[reference.split('/').at(-1) ?? ''];
}

/** Objects take no other members than those that they name. */
function toStrict(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(toStrict);
  if (typeof schema !== 'object' || schema === null) return schema;
  const members = Object.entries(schema).map(([name, value]) => [name, toStrict(value)] as const);
  const strict = Object.fromEntries(members) as Record<string, unknown>;
  const isObject = strict['type'] === 'object' && 'properties' in strict;
  return isObject && !('additionalProperties' in strict)
    ? { ...strict, additionalProperties: false }
    : strict;
}
