import type { Role } from '../../core/roles.ts';
import type { ApiKeyScope } from '../../core/scopes.ts';
import type { Policy } from '../../daemon/platform/access/access.ts';

/**
 * Who may call each RPC, written down a second time: `public`; or roles, the scope with which an
 * API key may as well (after `key`; `any` is every key), `service` for our own services, and
 * `enrolling` for staff who must enrol a second factor before they may do anything else. It is held against the
 * policies and against the running daemon: a change of either fails until it is made here too.
 */
export const rights = {
  auth: {
    signUp: 'public',
    verifyEmail: 'public',
    requestPasswordReset: 'public',
    resetPassword: 'public',
    requestEmailChange: 'customer operator admin',
    confirmEmailChange: 'customer operator admin',
    signIn: 'public',
    refreshSession: 'public',
    exchangeSession: 'service',
    validateToken: 'public',
    getJwks: 'public',
    signOut: 'customer operator admin, enrolling',
    getUser: 'customer operator admin, key users:read, service, enrolling',
    changePassword: 'customer operator admin',
    listSessions: 'customer operator admin',
    revokeSession: 'customer operator admin',
    revokeAllCredentials: 'customer operator admin',
    createApiKey: 'customer operator admin',
    listApiKeys: 'customer operator admin',
    revokeApiKey: 'customer operator admin',
    resolveUsers: 'operator admin, key users:read, service',
    resolveRecipient: 'customer operator admin, key transactions:write',
    listUsers: 'operator admin, key users:read',
    createUser: 'operator admin',
    updateUser: 'admin',
    listRevocations: 'service',
    listAuditEvents: 'admin',
    getTotpStatus: 'customer operator admin, enrolling',
    beginTotp: 'customer operator admin, enrolling',
    enableTotp: 'customer operator admin, enrolling',
    disableTotp: 'customer operator admin',
    regenerateRecoveryCodes: 'customer operator admin',
    getStatus: 'customer operator admin, key any',
  },
  wallet: {
    createTransaction: 'customer operator admin, key transactions:write',
    streamTransactions: 'customer operator admin, key transactions:write',
    batchCreateTransactions: 'customer operator admin, key transactions:write',
    getTransaction: 'customer operator admin, key wallets:read',
    listTransactions: 'customer operator admin, key wallets:read',
    getBalance: 'customer operator admin, key wallets:read, service',
    listWallets: 'customer operator admin, key wallets:read',
    freezeWallet: 'operator admin',
    unfreezeWallet: 'operator admin',
    closeWallet: 'operator admin',
    reopenWallet: 'operator admin',
    getHold: 'customer operator admin, key wallets:read',
    listHolds: 'customer operator admin, key wallets:read',
    getWalletTerms: 'customer operator admin, key wallets:read',
    setWalletTerms: 'operator admin',
    streamLedger: 'service',
    verifyLedger: 'admin, service',
    getStatementProof: 'customer operator admin, key wallets:read',
    listCheckpoints: 'operator admin',
    listDeadLetters: 'operator admin, key dead-letters:read',
    replayDeadLetters: 'operator admin, key dead-letters:write',
    discardDeadLetters: 'operator admin, key dead-letters:write',
    listAuditEvents: 'admin',
    getStatus: 'customer operator admin, key any',
  },
  statement: {
    listAuditEvents: 'admin',
    generateStatement: 'customer operator admin, key statements:read',
    watchLines: 'customer operator admin, key statements:read',
    searchLines: 'customer operator admin, key statements:read',
    createExport: 'customer operator admin, key statements:read',
    getExport: 'customer operator admin, key statements:read',
    listExports: 'customer operator admin, key statements:read',
    downloadExport: 'customer operator admin, key statements:read',
    verifyProjection: 'admin, service',
    rebuildProjection: 'admin, service',
    listDeadLetters: 'operator admin, key dead-letters:read',
    replayDeadLetters: 'operator admin, key dead-letters:write',
    discardDeadLetters: 'operator admin, key dead-letters:write',
    getStatus: 'customer operator admin, key any',
  },
} as const satisfies Readonly<Record<string, Readonly<Record<string, string>>>>;

/**
 * RPCs that may still return UNIMPLEMENTED in this version. That counts as admitted; for any other
 * RPC it is a violation. This set must become empty.
 */
export const mayBeUnimplemented: ReadonlySet<string> = new Set();

/** A line of `rights` in the shape of a policy. */
export function readRight(text: string): Policy {
  if (text === 'public') return 'public';
  const parts = text.split(', ');
  const scope = parts.find((part) => part.startsWith('key '))?.slice(4);
  const others = new Set(['service', 'enrolling']);
  const roles = parts.filter((part) => !others.has(part) && !part.startsWith('key '));
  return {
    roles: roles.flatMap((part) => part.split(' ')) as Role[],
    ...(scope === undefined ? {} : { scope: scope as ApiKeyScope | 'any' }),
    ...(parts.includes('service') ? { service: true as const } : {}),
    ...(parts.includes('enrolling') ? { enrolling: true as const } : {}),
  };
}
