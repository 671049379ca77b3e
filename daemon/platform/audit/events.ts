import { uuidV5 } from '../../../core/ids.ts';

/** A line of the audit log as it is listed. */
export type AuditEvent = {
  readonly id: string;
  /** The row that it is in, and its place there: with the time, the line's place in the log. */
  readonly rowId: string;
  readonly place: number;
  readonly occurredAtMs: number;
  /** The same in microseconds, as exactly as it is kept: for the cursor of pages. */
  readonly occurredAtMicros: bigint;
  readonly actor: string;
  readonly actorRole: string;
  readonly action: string;
  readonly target: string;
  readonly result: string;
  readonly requestId: string;
  readonly details: Readonly<Record<string, string>>;
};

/**
 * The lines of a packed row, which are alike in all other columns: a heading with the names of
 * their details, then each line's target, request id and details. A line that was not asked for is
 * null.
 */
export type PackedLines = readonly (readonly string[] | null)[];

export type AuditRow = {
  id: string;
  occurred_at: number;
  micros: bigint;
  actor: string;
  actor_role: string;
  action: string;
  target: string;
  result: string;
  request_id: string;
  details: Record<string, string>;
  lines: PackedLines | null;
};

/** The columns of packed lines before their details. */
const heading = ['target', 'requestId'];

/** Lines with details of the same names, as they are packed. */
export function packLines(
  lines: readonly {
    readonly target: string;
    readonly requestId: string;
    readonly details: Readonly<Record<string, string>>;
  }[],
): PackedLines {
  const names = Object.keys(lines[0]?.details ?? {});
  const rows = lines.map(({ target, requestId, details }) => {
    const row = [target, requestId];
    if (Object.keys(details).length !== names.length) {
      throw new Error(`a packed line of the audit log has other details than ${names.join()}`);
    }
    for (const name of names) {
      const text = details[name];
      if (text === undefined) throw new Error(`a packed line of the audit log has no ${name}`);
      row.push(text);
    }
    return row;
  });
  return [[...heading, ...names], ...rows];
}

/** The id of a packed line: it follows from the row and the line's place in it. */
const idOfLine = (rowId: string, place: number): string =>
  place === 0 ? rowId : uuidV5(rowId, String(place));

/** The lines of a row, the newest first. */
export function toEvents(row: AuditRow): AuditEvent[] {
  const shared = {
    rowId: row.id,
    occurredAtMs: row.occurred_at,
    occurredAtMicros: row.micros,
    actor: row.actor,
    actorRole: row.actor_role,
    action: row.action,
    result: row.result,
  };
  if (!row.lines) {
    const { id, target, request_id: requestId, details } = row;
    return [{ ...shared, id, place: 0, target, requestId, details }];
  }
  const [names = [], ...lines] = row.lines;
  return lines
    .flatMap((line, place): AuditEvent[] => {
      if (!line) return [];
      const [target = '', requestId = '', ...texts] = line;
      const details = Object.fromEntries(
        texts.map((text, i) => [names?.[heading.length + i] ?? '', text]),
      );
      const id = idOfLine(row.id, place);
      return [{ ...shared, id, place, target, requestId, details: { ...details, ...row.details } }];
    })
    .reverse();
}
