import { describeAddress } from '../../../core/addresses.ts';
import type { User } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { textColumn, timeColumn } from '../../output/columns.ts';
import type { Column } from '../../output/print.ts';
import { nameRole } from '../../../lib/json/names.ts';

/** The columns of accounts. Times in tables are of `timezone`. */
export function userColumns(timezone: string): readonly Column<User>[] {
  return [
    {
      header: 'id',
      value: ({ id }) => id,
      table: { title: 'ID', isId: true, priority: 5, cell: (u) => u.id },
    },
    {
      header: 'email',
      value: ({ email }) => email,
      isText: true,
      table: {
        // Beside an id there are 42 columns of 80.
        ...{ title: 'EMAIL', isKey: true, isFlexible: true, leastWidth: 42 },
        cell: ({ email }) => describeAddress(email),
      },
    },
    textColumn('role', 'ROLE', ({ role }) => nameRole(role), { priority: 4 }),
    {
      header: 'disabled',
      value: ({ disabled }) => String(disabled),
      table: { title: 'STATE', priority: 3, cell: nameState },
    },
    { header: 'email_verified', value: ({ emailVerified }) => String(emailVerified) },
    timeColumn('created_at', 'CREATED', timezone, ({ createdAt }) => createdAt),
    {
      header: 'totp_enabled',
      value: ({ totpEnabled }) => String(totpEnabled),
      table: {
        title: 'TOTP',
        isCardOnly: true,
        cell: ({ totpEnabled }) => (totpEnabled ? 'enabled' : 'none'),
      },
    },
  ];
}

function nameState({ disabled, emailVerified }: User): string {
  if (disabled) return 'disabled';
  return emailVerified ? 'active' : 'unverified';
}
