import type { ApiKey } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { textColumn, timeColumn } from '../../output/columns.ts';
import type { Column } from '../../output/print.ts';

/** The columns of API keys at the time `nowMs`. Times in tables are of `timezone`. */
export function apiKeyColumns(timezone: string, nowMs: number): readonly Column<ApiKey>[] {
  const nameState = ({ revoked, expiresAt }: ApiKey): string => {
    if (revoked) return 'revoked';
    return expiresAt && expiresAt.getTime() <= nowMs ? 'expired' : 'active';
  };
  return [
    {
      header: 'id',
      value: ({ id }) => id,
      table: { title: 'ID', isKey: true, cell: ({ id }) => id },
    },
    textColumn('name', 'NAME', ({ name }) => name, { isFlexible: true, priority: 5 }),
    textColumn('prefix', 'PREFIX', ({ prefix }) => prefix, { isId: true }),
    textColumn('scopes', 'SCOPES', ({ scopes }) => scopes.join(' '), { isFlexible: true }),
    textColumn('wallet_id', 'WALLET', ({ walletId }) => walletId, { isCardOnly: true }),
    textColumn('operations', 'OPERATIONS', ({ operations }) => operations.join(' '), {
      isCardOnly: true,
    }),
    {
      header: 'revoked',
      value: ({ revoked }) => String(revoked),
      table: { title: 'STATE', priority: 4, cell: nameState },
    },
    timeColumn('expires_at', 'UNTIL', timezone, ({ expiresAt }) => expiresAt),
    timeColumn('last_used_at', 'LAST USED', timezone, ({ lastUsedAt }) => lastUsedAt),
    timeColumn('created_at', 'CREATED', timezone, (key) => key.createdAt, { isCardOnly: true }),
    { header: 'owner_id', value: ({ ownerId }) => ownerId },
  ];
}
