import type { Session } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { textColumn, timeColumn } from '../../output/columns.ts';
import type { Column } from '../../output/print.ts';
import { nameSessionKind } from '../../../lib/json/accounts.ts';

/** The columns of sessions. Times in tables are of `timezone`. */
export function sessionColumns(timezone: string): readonly Column<Session>[] {
  return [
    // The one thing to do with a session is to name its id.
    {
      header: 'id',
      value: ({ id }) => id,
      table: { title: 'ID', isKey: true, cell: ({ id }) => id },
    },
    {
      header: 'current',
      value: ({ current }) => String(current),
      table: {
        ...{ title: 'CURRENT', priority: 4 },
        cell: ({ current }) => (current ? '*' : undefined),
      },
    },
    textColumn('client', 'CLIENT', ({ client }) => client, {
      ...{ isFlexible: true, priority: 3 },
    }),
    timeColumn('last_used_at', 'LAST USED', timezone, ({ lastUsedAt }) => lastUsedAt, {
      priority: 3,
    }),
    timeColumn('created_at', 'SINCE', timezone, (session) => session.createdAt),
    timeColumn('expires_at', 'UNTIL', timezone, (session) => session.expiresAt),
    { header: 'user_id', value: ({ userId }) => userId },
    { header: 'kind', value: nameSessionKind },
  ];
}
