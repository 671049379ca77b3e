/** A careless change of the product that a test must find. */
export type Defect = {
  readonly file: string;
  /** A text that is in the file once, and what it becomes. */
  readonly find: string;
  readonly replace: string;
  readonly tests: readonly string[];
};
