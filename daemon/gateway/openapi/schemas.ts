import { z } from 'zod';

/** A schema of JSON Schema 2020-12, which is that of OpenAPI 3.1. */
export type JsonSchema = Readonly<Record<string, unknown>>;

export type SchemaCollection = {
  /**
   * As the document has it. Schemas with an `id` in their `meta` become components, and are
   * referred to. `input` is what clients send, `output` what they get.
   */
  add(schema: z.ZodType, io: 'input' | 'output'): JsonSchema;
  /** The components so far, by name. */
  list(): Readonly<Record<string, JsonSchema>>;
};

/** Makes JSON schemas of zod's, and collects those that several places share. */
export function createSchemas(): SchemaCollection {
  const components = new Map<string, JsonSchema>();
  return {
    add: (schema, io) => {
      const made = z.toJSONSchema(schema, {
        io,
        override: ({ jsonSchema }) => tidy(jsonSchema, io),
      });
      const { $schema: _schema, $defs = {}, ...json } = made;
      for (const [name, definition] of Object.entries($defs)) {
        const { id: _id, ...component } = definition as Record<string, unknown>;
        const moved = moveReferences(component);
        const known = components.get(name);
        if (known && JSON.stringify(known) !== JSON.stringify(moved)) {
          throw new Error(`two schemas have the id ${name}: give one of them another id`);
        }
        components.set(name, moved);
      }
      return moveReferences(json);
    },
    list: () => Object.fromEntries([...components].sort(([a], [b]) => (a < b ? -1 : 1))),
  };
}

const moveReferences = (schema: object): JsonSchema =>
  JSON.parse(
    JSON.stringify(schema).replaceAll('"#/$defs/', '"#/components/schemas/'),
  ) as JsonSchema;

function tidy(schema: Record<string, unknown>, io: 'input' | 'output'): void {
  const { example, minimum, maximum } = schema;
  if (example !== undefined) {
    delete schema['example'];
    schema['examples'] = [example];
  }
  // The bounds of a double are no rule of ours.
  if (minimum === Number.MIN_SAFE_INTEGER) delete schema['minimum'];
  if (maximum === Number.MAX_SAFE_INTEGER) delete schema['maximum'];
  // A later version may answer with more members; requests are strict.
  if (io === 'output' && schema['additionalProperties'] === false) {
    delete schema['additionalProperties'];
  }
}
