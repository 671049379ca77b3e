import type { DeadLetter } from '../../../protos/gen/digitalwallet/common/v1/dead_letter.ts';
import { nameDeadLetterState, type DeadLetterService } from './shared.ts';
import { formatExcerpt } from '../../output/json-text.ts';
import { shorterTimes } from '../../output/columns.ts';
import type { Column } from '../../output/print.ts';
import type { TableColumn } from '../../output/table.ts';
import { formatLocalTime } from '../../output/time.ts';

/** A dead letter as printed; `isDryRun` says that what was decided was not done. */
export type DeadLetterRow = {
  readonly service: DeadLetterService;
  readonly letter: DeadLetter;
  readonly isDryRun: boolean;
};

/** docs/cli.md, "JSON": the shape of a dead letter. */
export function toDeadLetterJson({ service, letter, isDryRun }: DeadLetterRow): object {
  return {
    id: letter.id,
    service,
    queue: letter.queue,
    messageId: nonEmpty(letter.messageId),
    reason: letter.reason,
    field: nonEmpty(letter.field),
    ...(letter.bodyOmitted ? {} : { body: letter.body }),
    state: nameDeadLetterState(letter.state),
    createdAt: letter.createdAt?.toISOString(),
    decidedAt: letter.decidedAt?.toISOString(),
    decidedBy: nonEmpty(letter.decidedBy),
    result: nonEmpty(letter.result),
    producer: nonEmpty(letter.userId),
    ...(letter.receivedCount > 0 ? { receivedCount: letter.receivedCount } : {}),
    receivedAt: letter.receivedAt?.toISOString(),
    ...(letter.altered ? { altered: true } : {}),
    ...(isDryRun ? { dryRun: true } : {}),
  };
}

/** What a table has room for: of those to decide on, and of those just decided on. */
const tableHeaders = {
  list: ['created_at', 'id', 'reason', 'field', 'message_id', 'body'],
  decision: ['id', 'state', 'reason', 'field', 'message_id', 'body'],
} as const;

/** The columns of dead letters. Times in tables are of `timezone`. */
export function deadLetterColumns(
  timezone: string,
  purpose: keyof typeof tableHeaders,
): readonly Column<DeadLetterRow>[] {
  const shown: readonly string[] = tableHeaders[purpose];
  return allColumns(timezone).map((column) =>
    column.table && !shown.includes(column.header)
      ? { ...column, table: { ...column.table, isCardOnly: true } }
      : column,
  );
}

function allColumns(timezone: string): readonly Column<DeadLetterRow>[] {
  return [
    timeColumn('created_at', 'CREATED', timezone, ({ createdAt }) => createdAt),
    textColumn('id', 'ID', ({ letter }) => letter.id, { isKey: true }),
    textColumn('state', 'STATE', ({ letter }) => nameDeadLetterState(letter.state), {
      priority: 5,
    }),
    textColumn('service', 'SERVICE', ({ service }) => service),
    textColumn('queue', 'QUEUE', ({ letter }) => letter.queue),
    textColumn('reason', 'REASON', ({ letter }) => letter.reason, { priority: 4 }),
    textColumn('field', 'FIELD', ({ letter }) => letter.field),
    textColumn('message_id', 'MESSAGE ID', ({ letter }) => letter.messageId, {
      isId: true,
      priority: 2,
    }),
    {
      header: 'body',
      value: ({ letter }) => letter.body,
      isText: true,
      table: {
        title: 'BODY',
        isFlexible: true,
        cell: ({ letter }) => formatExcerpt(letter.body),
      },
    },
    timeColumn('decided_at', 'DECIDED', timezone, ({ decidedAt }) => decidedAt),
    textColumn('decided_by', 'DECIDED BY', ({ letter }) => letter.decidedBy),
  ];
}

/** How often the message was dead-lettered; empty for once. For a card, not for data. */
export function deadLetterReceivedColumns(timezone: string): readonly Column<DeadLetterRow>[] {
  const isAgain = ({ receivedCount }: DeadLetter): boolean => receivedCount > 1;
  return [
    textColumn('received_count', 'RECEIVED', ({ letter }) =>
      isAgain(letter) ? `${letter.receivedCount} times` : '',
    ),
    timeColumn('received_at', 'LAST RECEIVED', timezone, (letter) =>
      isAgain(letter) ? letter.receivedAt : undefined,
    ),
  ];
}

/** Said with the data itself, so that the answer is not taken for a decision. */
export const deadLetterDryRunColumn: Column<DeadLetterRow> = {
  header: 'dry_run',
  value: ({ isDryRun }) => String(isDryRun),
  table: { title: 'DRY RUN', cell: () => 'nothing was changed' },
};

/** All of these are named by others, or may be one day. */
function textColumn(
  header: string,
  title: string,
  value: (row: DeadLetterRow) => string,
  look: Omit<TableColumn, 'title'> = {},
): Column<DeadLetterRow> {
  const table = { title, cell: (row: DeadLetterRow) => nonEmpty(value(row)), ...look };
  return { header, value, isText: true, table };
}

function timeColumn(
  header: string,
  title: string,
  timezone: string,
  value: (letter: DeadLetter) => Date | undefined,
): Column<DeadLetterRow> {
  const cell = ({ letter }: DeadLetterRow): string | undefined => {
    const time = value(letter);
    return time && formatLocalTime(time, timezone);
  };
  return {
    header,
    value: ({ letter }) => value(letter)?.toISOString(),
    table: { title, cell, shorterWidths: shorterTimes },
  };
}

/** The wire says "none" with an empty text. */
function nonEmpty(text: string): string | undefined {
  return text === '' ? undefined : text;
}
