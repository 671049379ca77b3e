import type { SchemaChanges } from './databases.ts';
import type { ScenarioName } from './scenarios/index.ts';

/** A change of one source file: a text that is there exactly once, and what it becomes. */
export type Edit = {
  readonly file: string;
  readonly before: string;
  readonly after: string;
};

/** A defect of the product that the checkers have to find. */
export type Mutant = {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** Takes out what would catch the defect before it does harm. */
  readonly schema?: SchemaChanges;
  readonly scenario: ScenarioName;
};

/** The text with all edits. Throws where the text of one is not there exactly once. */
export function applyEdits(text: string, edits: readonly Edit[]): string {
  return edits.reduce((edited, { file, before, after }) => {
    const parts = edited.split(before);
    const [head, tail] = parts;
    if (parts.length !== 2 || head === undefined || tail === undefined) {
      throw new Error(`${file} has this ${parts.length - 1} times instead of once: ${before}`);
    }
    return head + after + tail;
  }, text);
}

/** Edits by the file that they change. */
export function groupByFile(edits: readonly Edit[]): ReadonlyMap<string, readonly Edit[]> {
  const byFile = new Map<string, Edit[]>();
  for (const edit of edits) byFile.set(edit.file, [...(byFile.get(edit.file) ?? []), edit]);
  return byFile;
}
