/** What the layout has to know about a column of a table. */
export type LayoutColumn = {
  /** Names its row: never left out. */
  readonly isKey?: true;
  /** Never cut, and left out after all columns that are not ids. */
  readonly isId?: true;
  /** The first to be cut where the terminal is too narrow, with an ellipsis. */
  readonly isFlexible?: true;
  /** How much of a flexible column stays (default 12), or else it is left out. */
  readonly leastWidth?: number;
  /** Widths at which a shorter text says less and is not wrong, like a time without its seconds. */
  readonly shorterWidths?: readonly number[];
  /** Of columns that have to go the one with the lowest goes first, then the rightmost. */
  readonly priority?: number;
};

export type LayoutOptions = {
  /** Columns of the terminal; undefined where there is room for everything. */
  readonly room: number | undefined;
  /** False where the user chose the columns: then none is left out. */
  readonly canDrop: boolean;
};

export const gapWidth = 2;
const flexibleWidth = 12;

/** The width of each column; undefined for one that is left out. */
export type Layout = readonly (number | undefined)[];

/**
 * Fits columns into a terminal. Descriptions are cut, times lose their seconds and then the time
 * of day, and then the least important columns are left out. `natural` is how much room the
 * content of each column takes; ids and numbers get all of it or none.
 */
export function layOut(
  columns: readonly LayoutColumn[],
  natural: readonly number[],
  { room, canDrop }: LayoutOptions,
): Layout {
  if (room === undefined) return natural;
  const widths = columns.map((column, index): number | undefined =>
    findLeastWidth(column, natural[index] ?? 0),
  );
  if (canDrop) {
    for (const index of orderOfDropping(columns)) {
      if (sumOf(widths) <= room) break;
      widths[index] = undefined;
    }
  }
  const grow = (index: number, width: number): void => {
    const current = widths[index];
    if (current !== undefined && sumOf(widths) - current + width <= room) widths[index] = width;
  };
  const important = [...columns.keys()].sort(
    (a, b) => priorityOf(columns[b]) - priorityOf(columns[a]),
  );
  for (const index of important) {
    const widest = natural[index] ?? 0;
    const steps = columns[index]?.shorterWidths ?? [];
    for (const width of [...steps].sort((a, b) => a - b)) if (width < widest) grow(index, width);
    if (steps.length > 0) grow(index, widest);
  }
  for (const index of important) {
    const current = widths[index];
    if (current === undefined || !columns[index]?.isFlexible) continue;
    const spare = Math.max(room - sumOf(widths), 0);
    widths[index] = Math.min(natural[index] ?? 0, current + spare);
  }
  return widths;
}

const priorityOf = (column: LayoutColumn | undefined): number =>
  column?.priority ?? (column?.isId ? 3 : column?.isFlexible ? 1 : 2);

function findLeastWidth(column: LayoutColumn, natural: number): number {
  if (column.isFlexible) return Math.min(natural, column.leastWidth ?? flexibleWidth);
  return Math.min(natural, ...(column.shorterWidths ?? []));
}

/** The places of the columns that may go, in the order in which they do. */
function orderOfDropping(columns: readonly LayoutColumn[]): readonly number[] {
  return [...columns.keys()]
    .filter((index) => !columns[index]?.isKey)
    .sort((a, b) => priorityOf(columns[a]) - priorityOf(columns[b]) || b - a);
}

function sumOf(widths: Layout): number {
  const shown = widths.filter((width) => width !== undefined);
  return shown.reduce((sum, width) => sum + width, gapWidth * Math.max(shown.length - 1, 0));
}
