/** A field that `--field` chose. */
export type Field = {
  /** Its path in what `--json` prints, with `[]` behind an array whose elements are meant. */
  readonly path: string | undefined;
  /** Its path in an item of a list; empty for the item itself. */
  readonly itemPath: string | undefined;
};
