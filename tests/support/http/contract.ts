import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

import type { OpenApi } from '../../../daemon/gateway/openapi/document.ts';

type Json = Readonly<Record<string, unknown>>;
type Response = { readonly headers?: Json; readonly content?: Readonly<Record<string, Json>> };

export type HttpAnswer = {
  readonly status: number;
  readonly headers: Headers;
  /** Parsed where it is JSON. */
  readonly body: Record<string, unknown>;
  readonly text: string;
};

export type Contract = {
  /** Whether the document describes requests with this method and path. */
  describes(method: string, path: string): boolean;
  /** Throws, and says how, unless the answer is as the document says of its route and status. */
  check(method: string, path: string, answer: HttpAnswer): void;
  /** `METHOD /path STATUS` of the checked answers, with the reason where it is a problem. */
  readonly seen: ReadonlySet<string>;
  /** `METHOD /path` of the operations that no checked answer of the kind was of. */
  listMissing(kind: 'well' | 'refused'): string[];
};

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
  const find = (method: string, path: string) => {
    const [pathname = ''] = path.split('?');
    // Of two paths the concrete one counts.
    const [operation] = operations
      .filter((each) => each.method === method && each.pattern.test(pathname))
      .sort((a, b) => a.parameterCount - b.parameterCount);
    return operation;
  };
  const seen = new Set<string>();
  const check = (method: string, path: string, answer: HttpAnswer): void => {
    const operation = find(method, path);
    if (!operation) throw new Error(`the document has no ${method} ${path}`);
    const what = `${operation.name}, status ${answer.status}`;
    const response = resolve(
      document.components['responses'],
      operation.responses[answer.status],
    ) as Response | undefined;
    if (!response) throw new Error(`${what} is not documented: ${answer.text.slice(0, 500)}`);
    for (const [name, described] of Object.entries(response.headers ?? {})) {
      const header = resolve(document.components['headers'], described as Json);
      if (header?.['required'] !== true || answer.headers.has(name)) continue;
      throw new Error(`${what} has no header ${name}`);
    }
    operation.seen.add(answer.status < 400 ? 'well' : 'refused');
    const { reason } = answer.body;
    const suffix = typeof reason === 'string' ? ` ${reason}` : '';
    seen.add(`${operation.name} ${answer.status}${suffix}`);
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
    describes: (method, path) => find(method, path) !== undefined,
    check,
    seen,
    listMissing: (kind) => operations.filter(({ seen }) => !seen.has(kind)).map(({ name }) => name),
  };
}

const isText = (schema: unknown): boolean => (schema as Json)['type'] === 'string';

/** What is described; where it is a reference, that of the components. */
function resolve(
  components: Readonly<Record<string, Json>> | undefined,
  described: Json | undefined,
): Json | undefined {
  const reference = described?.['$ref'];
  if (typeof reference !== 'string') return described;
  return components?.[reference.split('/').at(-1) ?? ''];
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
