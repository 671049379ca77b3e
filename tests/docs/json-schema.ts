export type Schema = {
  type: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean;
  enum?: unknown[];
  const?: unknown;
  pattern?: string;
  minimum?: number;
  minLength?: number;
  maxLength?: number;
  description?: string;
};

const typeOf = (value: unknown): string => {
  if (value === null) return 'null';
  return Number.isInteger(value) ? 'integer' : typeof value;
};

const known = new Set(
  ['type', 'properties', 'required', 'additionalProperties', 'enum', 'const', 'pattern'].concat(
    ['minimum', 'minLength', 'maxLength', 'description'], // the last says nothing to check
  ),
);

/** What is wrong with a value, by the few keywords of JSON Schema that asyncapi.json uses. */
export function check(schema: Schema | undefined, value: unknown, path = '$'): string[] {
  if (!schema) return [`${path}: no schema`];
  const faults = Object.keys(schema)
    .filter((keyword) => !known.has(keyword))
    .map((keyword) => `${path}: keyword ${keyword} is not checked`);
  const actual = typeOf(value);
  const types = [schema.type].flat();
  if (!types.includes(actual) && !(actual === 'integer' && types.includes('number'))) {
    return [...faults, `${path}: is ${actual}`];
  }
  const fail = (isWrong: boolean, keyword: string) => isWrong && faults.push(`${path}: ${keyword}`);
  fail(schema.enum !== undefined && !schema.enum.includes(value), 'enum');
  fail(schema.const !== undefined && schema.const !== value, 'const');
  if (typeof value === 'number') fail(value < (schema.minimum ?? -Infinity), 'minimum');
  if (typeof value === 'string') {
    fail(!new RegExp(schema.pattern ?? '').test(value), 'pattern');
    fail(value.length < (schema.minLength ?? 0), 'minLength');
    fail(value.length > (schema.maxLength ?? Infinity), 'maxLength');
  }
  if (typeof value !== 'object' || value === null) return faults;
  const fields = Object.entries(value);
  for (const name of schema.required ?? []) fail(!Object.hasOwn(value, name), `needs ${name}`);
  for (const [name, field] of fields) {
    const inner = schema.properties?.[name];
    if (inner) faults.push(...check(inner, field, `${path}.${name}`));
    else fail(schema.additionalProperties !== true, `has ${name}`);
  }
  return faults;
}
