import { toJsonText } from '../terminal/plain.ts';

/** An array in JSON that is written item by item, as `toJsonText` with an indent of 2 writes it. */
export type JsonArray = {
  add(values: readonly unknown[]): string;
  end(): string;
};

/** `indent` is that of the line on which the array begins. */
export function createJsonArray(indent: number): JsonArray {
  let isEmpty = true;
  const lineStart = `\n${' '.repeat(indent + 2)}`;
  return {
    add: (values) => {
      let text = '';
      for (const value of values) {
        // A line break inside a text is escaped: every one here is between two lines of the value.
        const lines = toJsonText(value, 2).replaceAll('\n', lineStart);
        text += `${isEmpty ? '[' : ','}${lineStart}${lines}`;
        isEmpty = false;
      }
      return text;
    },
    end: () => (isEmpty ? '[]' : `\n${' '.repeat(indent)}]`),
  };
}

/** The rest of an object behind a member that was written: `, "key": value }` with its line end. */
export function formatJsonRest(rest: object): string {
  const text = toJsonText(rest, 2);
  return text === '{}' ? '\n}\n' : `,${text.slice(1)}\n`;
}
