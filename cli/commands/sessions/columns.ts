import type { Session } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { textColumn, timeColumn } from '../../output/columns.ts';
import type { Column } from '../../output/print.ts';
import { nameSessionKind } from '../../../lib/json/accounts.ts';

/** The columns of sessions. Times in tables are of `timezone`. */
export function sessionColumns(timezone: string): readonly Column<Session>[] {
  return [
    // The one thing to do with a session is to name its id, so it is never cut.
    { header: 'id', value: ({ id }) => id, table: { title: 'ID', cell: ({ id }) => id } },
    {
      header: 'current',
      value: ({ current }) => String(current),
      table: { title: 'CURRENT', cell: ({ current }) => (current ? '*' : undefined) },
    },
    textColumn('client', 'CLIENT', ({ client }) => client, { isFlexible: true }),
    timeColumn('last_used_at', 'LAST USED', timezone, ({ lastUsedAt }) => lastUsedAt),
    timeColumn('created_at', 'SINCE', timezone, (session) => session.createdAt, {
      isFlexible: true,
    }),
    timeColumn('expires_at', 'UNTIL', timezone, (session) => session.expiresAt, {
      isFlexible: true,
    }),
    { header: 'user_id', value: ({ userId }) => userId },
    { header: 'kind', value: nameSessionKind },
  ];
}
