import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import { format, resolveConfig } from 'prettier';

// `npm run client:types` writes the types of the TypeScript client from docs/openapi.json. With
// --check it only says whether the committed file is what the document gives. The subset of JSON
// Schema is that of our document; anything else is an error, so that no type is wrong silently.

const source = 'docs/openapi.json';
const file = 'client/gen/api.ts';
const jsonType = 'application/json';

type Json = Readonly<Record<string, unknown>>;
type Schema = Json & {
  readonly $ref?: string;
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
  readonly additionalProperties?: Schema | boolean;
  readonly description?: string;
};
type Parameter = {
  readonly $ref?: string;
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema: Schema;
};
type Content = Readonly<Record<string, { readonly schema: Schema }>>;
type Operation = {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly Json[];
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly required: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
};
type Document = {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, Schema>>;
    readonly examples: Readonly<Record<string, Json>>;
  };
};

/** Members that may be absent: of a request they may be given as undefined, too. */
type Side = 'request' | 'answer';

function toType(schema: Schema, side: Side): string {
  if (schema.$ref !== undefined) return schema.$ref.split('/').at(-1) ?? '';
  if ('const' in schema) return JSON.stringify(schema['const']);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  if (schema.anyOf) return schema.anyOf.map((each) => toType(each, side)).join(' | ');
  if (schema.allOf) return schema.allOf.map((each) => `(${toType(each, side)})`).join(' & ');
  switch (schema.type) {
    case 'string':
    case 'boolean':
    case 'number':
    case 'null':
      return schema.type;
    case 'integer':
      return 'number';
    case 'array':
      return `readonly (${toType(schema.items ?? {}, side)})[]`;
    case 'object':
      return toObjectType(schema, side);
    default:
      throw new Error(`${source}: no type for the schema ${JSON.stringify(schema)}`);
  }
}

function toObjectType(schema: Schema, side: Side): string {
  const { properties, required = [], additionalProperties: others } = schema;
  if (!properties) {
    if (typeof others !== 'object') throw new Error(`${source}: an object without properties`);
    return `Readonly<Record<string, ${toType(others, side)}>>`;
  }
  const members = Object.entries(properties).map(([name, property]) =>
    toMember(name, property, { isRequired: required.includes(name), side }),
  );
  return `{ ${members.join('\n')} }`;
}

function toMember(
  name: string,
  schema: Schema,
  { isRequired, side }: { readonly isRequired: boolean; readonly side: Side },
): string {
  const mayBeAbsent = isRequired ? '' : '?';
  const mayBeUndefined = !isRequired && side === 'request' ? ' | undefined' : '';
  const type = `${toType(schema, side)}${mayBeUndefined}`;
  return `${comment(schema.description)}readonly ${toName(name)}${mayBeAbsent}: ${type};`;
}

const toName = (name: string): string => (/^[A-Za-z_]\w*$/.test(name) ? name : `'${name}'`);

/** A doc comment, in lines of at most 90 columns. */
function comment(text: string | undefined): string {
  if (text === undefined) return '';
  const lines: string[] = [];
  for (const word of text.replaceAll('*/', '').split(/\s+/)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < 80) lines.push(`${lines.pop()} ${word}`);
    else lines.push(word);
  }
  const [first = ''] = lines;
  if (lines.length === 1) return `\n/** ${first} */\n`;
  return `\n/**\n${lines.map((line) => ` * ${line}`).join('\n')}\n */\n`;
}

/** The parameters of a place, as one object; none of them: no member. */
function toParameters(operation: Operation, place: 'path' | 'query'): string {
  const found = operation.parameters.filter((parameter) => parameter.in === place);
  if (found.length === 0) return `readonly ${place}: undefined;`;
  const members = found.map(({ name, required = false, description, schema }) =>
    toMember(
      name,
      { ...schema, ...(description === undefined ? {} : { description }) },
      { isRequired: required, side: 'request' },
    ),
  );
  return `readonly ${place}: { ${members.join('\n')} };`;
}

function toOperation(operation: Operation): string {
  const body = operation.requestBody?.content[jsonType]?.schema;
  const answers = Object.entries(operation.responses)
    .filter(([status]) => status.startsWith('2'))
    .map(([, { content }]) => content?.[jsonType]?.schema)
    .map((schema) => (schema ? toType(schema, 'answer') : 'undefined'));
  return (
    `${comment(operation.summary)}readonly ${operation.operationId}: {` +
    `${toParameters(operation, 'path')} ${toParameters(operation, 'query')}` +
    `readonly body: ${body ? toType(body, 'request') : 'undefined'};` +
    `readonly answer: ${[...new Set(answers)].join(' | ')};` +
    '};'
  );
}

const isKeyed = ({ parameters }: Operation): boolean =>
  parameters.some(({ $ref = '' }) => $ref.endsWith('IdempotencyKey'));

function toRoute(path: string, method: string, operation: Operation): string {
  const flags = { isKeyed: isKeyed(operation), isPublic: operation.security.length === 0 };
  const route = { method: method.toUpperCase(), path, ...flags };
  return `${operation.operationId}: ${JSON.stringify(route)},`;
}

function writeTypes({ paths, components }: Document): string {
  const operations = Object.entries(paths)
    .filter(([path]) => path.startsWith('/v1/'))
    .flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );
  const schemas = Object.entries(components.schemas).map(
    ([name, schema]) => `export type ${name} = ${toType(schema, 'answer')};`,
  );
  const reasons = Object.keys(components.examples).map((reason) => `'${reason}'`);
  return [
    `// Written by "npm run client:types" from ${source}: do not edit.`,
    '/** Why the server refuses a request: docs/errors.md. */',
    `export type ServerReason = ${reasons.join(' | ')};`,
    ...schemas,
    '/** Each operation of the API: what it takes, and what it answers with. */',
    `export type Operations = { ${operations.map((each) => toOperation(each.operation)).join('\n')} };`,
    'export type OperationName = keyof Operations;',
    'type Route = { readonly method: string; readonly path: string; readonly isKeyed: boolean;' +
      'readonly isPublic: boolean };',
    '/** Where each operation is; whether it takes an idempotency key, and no credential. */',
    'export const routes: Readonly<Record<OperationName, Route>> = {',
    ...operations.map(({ path, method, operation }) => toRoute(path, method, operation)),
    '};',
  ].join('\n\n');
}

const document = JSON.parse(await readFile(source, 'utf8')) as Document;
const config = await resolveConfig(file);
const text = await format(writeTypes(document), { ...config, parser: 'typescript' });
if (process.argv.includes('--check')) {
  if ((await readFile(file, 'utf8').catch(() => '')) !== text) {
    console.error(`${file} is not what ${source} gives: run "npm run client:types" and commit it`);
    process.exitCode = 1;
  }
} else {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}
