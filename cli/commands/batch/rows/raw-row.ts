/** The columns of a batch; operation and, but for undos, amount are needed in each row. */
const batchColumns = [
  'operation',
  'amount',
  'currency',
  'user',
  'parent_id',
  'description',
  'merchant',
  'key',
  'to',
  'via',
  'reference',
  'metadata',
  'expires_in',
  'expires_at',
  'keep_rest',
] as const;

const pairPrefix = 'meta.';

/** A column whose cells are values of one key of the metadata. */
export type PairColumn = `${typeof pairPrefix}${string}`;
export type BatchColumn = (typeof batchColumns)[number] | PairColumn;

export const isPairColumn = (name: string): name is PairColumn =>
  name.startsWith(pairPrefix) && name.length > pairPrefix.length;

/** The key of the metadata that a column stands for. */
export const keyOfPair = (column: PairColumn): string => column.slice(pairPrefix.length);

/** What the columns may be, for errors. */
export const knownColumns = `${batchColumns.join(', ')} and ${pairPrefix}KEY`;

/** The name of a column as it is meant: the keys of metadata alone distinguish case. */
export function toColumnName(text: string): string {
  const name = text.trim();
  const lower = name.toLowerCase();
  return lower.startsWith(pairPrefix) ? pairPrefix + name.slice(pairPrefix.length) : lower;
}

/** The cells of a row that are not empty, by their columns. */
export type Cells = Readonly<Partial<Record<BatchColumn, string>>>;

/** One record as it stands in the input. `row` counts records from 1, the header not among them. */
export type RawRow = {
  readonly row: number;
  /** Empty cells are left out. */
  readonly cells: Cells;
  /** Why it cannot be read at all. */
  readonly problem?: string;
  /** Why its amount, a JSON number, is not taken. */
  readonly amountProblem?: string;
};

export const isBatchColumn = (name: string): name is BatchColumn =>
  (batchColumns as readonly string[]).includes(name) || isPairColumn(name);

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
