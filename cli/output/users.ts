import type { User } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Column } from './print.ts';
import { nameRole } from '../names.ts';

/** docs/cli.md, "JSON": the shape of a user. */
export function toUserJson(user: User): object {
  return {
    id: user.id,
    email: user.email,
    role: nameRole(user.role),
    disabled: user.disabled,
    emailVerified: user.emailVerified,
    createdAt: user.createdAt?.toISOString(),
  };
}

export const userColumns: readonly Column<User>[] = [
  { header: 'id', value: ({ id }) => id, table: { title: 'ID', cell: ({ id }) => id } },
  {
    header: 'email',
    value: ({ email }) => email,
    isText: true,
    table: { title: 'EMAIL', cell: ({ email }) => email },
  },
  {
    header: 'role',
    value: ({ role }) => nameRole(role),
    table: { title: 'ROLE', cell: ({ role }) => nameRole(role) },
  },
  { header: 'disabled', value: ({ disabled }) => String(disabled) },
  { header: 'email_verified', value: ({ emailVerified }) => String(emailVerified) },
  { header: 'created_at', value: ({ createdAt }) => createdAt?.toISOString() },
];
