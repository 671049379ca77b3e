/** A node of a plan as EXPLAIN (FORMAT JSON) gives it, with what is read here. */
type PlanNode = {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string;
  readonly 'Index Name'?: string;
  readonly 'Index Cond'?: string;
  readonly 'Shared Hit Blocks'?: number;
  readonly 'Shared Read Blocks'?: number;
  readonly Plans?: readonly PlanNode[];
};

export type Explained = readonly [{ readonly Plan: PlanNode }];

/** Pages that the statement touched, as often as it did. */
export const pagesOf = ([{ Plan: plan }]: Explained): number =>
  (plan['Shared Hit Blocks'] ?? 0) + (plan['Shared Read Blocks'] ?? 0);

/**
 * Where a plan reads a table from one end to the other: by itself, or along an index without a
 * condition or a limit. `small`: tables and indexes that hold only what is unfinished.
 */
export function findScans([{ Plan: plan }]: Explained, small: ReadonlySet<string>): string[] {
  const scans: string[] = [];
  const visit = (node: PlanNode, isLimited: boolean): void => {
    const type = node['Node Type'];
    const table = node['Relation Name'];
    const isWhole =
      type === 'Seq Scan' ||
      (/^Index (Only )?Scan$/.test(type) && node['Index Cond'] === undefined && !isLimited);
    const isSmall = small.has(table ?? '') || small.has(node['Index Name'] ?? '');
    if (table !== undefined && isWhole && !isSmall) scans.push(`${type} on ${table}`);
    // What sorts or adds up reads all of what is below it, whatever the limit above.
    const isBlocking = /^(Sort|Aggregate|Hash|Materialize|WindowAgg)$/.test(type);
    const isLimitedBelow = type === 'Limit' || (isLimited && !isBlocking);
    for (const child of node.Plans ?? []) visit(child, isLimitedBelow);
  };
  visit(plan, false);
  return scans;
}

/** A value as EXECUTE takes it: without a type of its own, it gets the parameter's. */
export function toLiteral(value: unknown): string {
  return value === null ? 'NULL' : `'${toText(value).replaceAll("'", "''")}'`;
}

function toText(value: unknown): string {
  if (Array.isArray(value)) {
    const texts = value.map((item: unknown) => (item === null ? 'NULL' : quote(toText(item))));
    return `{${texts.join(',')}}`;
  }
  if (Buffer.isBuffer(value)) return `\\x${value.toString('hex')}`;
  if (typeof value === 'string') return value;
  if (['number', 'bigint', 'boolean'].includes(typeof value)) return String(value);
  throw new Error(`no literal for ${typeof value}`);
}

const quote = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`;
