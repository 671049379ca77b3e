/** The columns of a batch; operation and, but for undos, amount are needed in each row. */
export const batchColumns = [
  'operation',
  'amount',
  'currency',
  'user',
  'parent_id',
  'description',
  'merchant',
  'key',
] as const;

export type BatchColumn = (typeof batchColumns)[number];

/** One record as it stands in the input. `row` counts records from 1, the header not among them. */
export type RawRow = {
  readonly row: number;
  /** Empty cells are left out. */
  readonly cells: Readonly<Partial<Record<BatchColumn, string>>>;
  /** Why it cannot be read at all. */
  readonly problem?: string;
  /** Why its amount, a JSON number, is not taken. */
  readonly amountProblem?: string;
};

export const isBatchColumn = (name: string): name is BatchColumn =>
  (batchColumns as readonly string[]).includes(name);

/** The longest record that is read. */
export const maxRecordCharacters = 65_536;

/** The input as a whole cannot be used: wrong header, unreadable text, no rows. */
export class InputError extends Error {
  /** What to do about it. */
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}
