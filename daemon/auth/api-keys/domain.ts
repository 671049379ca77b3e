import { isUuid } from '../../../core/ids.ts';
import { isOperation, type Operation } from '../../../core/operations.ts';
import { refuse, succeed, type Reason, type Result } from '../../../core/reasons.ts';
import { withArticle, type Role } from '../../../core/roles.ts';
import { apiKeyScopes, isApiKeyScope, type ApiKeyScope } from '../../../core/scopes.ts';
import { findTextProblem } from '../../../core/text.ts';
import { isEndInvalid } from '../../../core/time/stored-times.ts';

/** What is asked for when a key is made, once it has been checked. */
export type NewApiKey = {
  readonly name: string;
  readonly scopes: readonly ApiKeyScope[];
  readonly walletId: string | undefined;
  readonly operations: readonly Operation[];
  readonly expiresAtMs: number;
};

export type ApiKey = NewApiKey & {
  readonly id: string;
  readonly ownerId: string;
  /** The visible start of the secret. */
  readonly prefix: string;
  readonly createdAtMs: number;
  readonly lastUsedAtMs: number | undefined;
  readonly isRevoked: boolean;
};

/** The same as on the wire: nothing checked yet. */
export type AskedApiKey = {
  readonly name: string;
  readonly scopes: readonly string[];
  readonly walletId?: string | undefined;
  readonly operations: readonly string[];
  readonly expiresAt: Date | undefined;
};

export const maxValidKeys = 50;
/** Of one owner, revoked ones too: each revocation is sent to all daemons, and kept for a day. */
export const maxKeysPerHour = 100;
/** A year, and the day by which some years are longer. */
export const maxKeyLifeMs = 366 * 24 * 60 * 60_000;
const maxNameLength = 100;

const customerScopes: readonly ApiKeyScope[] = [
  'transactions:write',
  'wallets:read',
  'statements:read',
];

/** The scopes that a role has a use for; a key with another would only mislead. */
export const scopesOf = (role: Role): readonly ApiKeyScope[] =>
  role === 'customer' ? customerScopes : apiKeyScopes;

/** INVALID_ARGUMENT with the field; PERMISSION_DENIED for a scope that the role has no use for. */
export function checkNewKey(asked: AskedApiKey, role: Role, nowMs: number): Result<NewApiKey> {
  const name = asked.name.trim();
  const problem = name === '' ? 'must not be empty' : findTextProblem(name, maxNameLength);
  if (problem !== undefined || /\p{Cc}/u.test(name)) {
    return invalid('name', problem ?? 'must not contain control characters');
  }
  const scopes = checkScopes(asked.scopes, role);
  if (!scopes.ok) return scopes;
  const { walletId } = asked;
  if (walletId !== undefined && !isUuid(walletId)) {
    return invalid('wallet_id', 'must be a UUID in lower case');
  }
  const operations = [...new Set(asked.operations)];
  if (!operations.every(isOperation)) return invalid('operations', 'must name operations');
  if (operations.length > 0 && !scopes.value.includes('transactions:write')) {
    return invalid('operations', 'are for keys with the scope transactions:write');
  }
  const expiresAtMs = asked.expiresAt?.getTime() ?? NaN;
  if (!(expiresAtMs > nowMs && expiresAtMs <= nowMs + maxKeyLifeMs)) {
    return invalid('expires_at', 'must be given, in the future, and at most 366 days ahead');
  }
  return succeed({ name, scopes: scopes.value, walletId, operations, expiresAtMs });
}

function checkScopes(asked: readonly string[], role: Role): Result<readonly ApiKeyScope[]> {
  const scopes = [...new Set(asked)];
  if (scopes.length === 0 || !scopes.every(isApiKeyScope)) {
    return invalid('scopes', `must name some of ${apiKeyScopes.join(', ')}`);
  }
  const useless = scopes.find((scope) => !scopesOf(role).includes(scope));
  return useless === undefined
    ? succeed(scopes)
    : refuse(
        'PERMISSION_DENIED',
        `a key of ${withArticle(role)} cannot have the scope ${useless}`,
        {
          field: 'scopes',
          role,
          scope: useless,
        },
      );
}

const invalid = (field: string, problem: string) =>
  refuse('INVALID_ARGUMENT', `${field} ${problem}`, { field });

/** Why a key opens nothing now; undefined if it does. */
export function checkKey(
  key: Pick<ApiKey, 'isRevoked' | 'expiresAtMs'>,
  isOwnerDisabled: boolean,
  nowMs: number,
): Extract<Reason, 'TOKEN_REVOKED' | 'TOKEN_EXPIRED'> | undefined {
  if (key.isRevoked || isOwnerDisabled) return 'TOKEN_REVOKED';
  const isOver = key.expiresAtMs <= nowMs || isEndInvalid(key.expiresAtMs, nowMs, maxKeyLifeMs);
  return isOver ? 'TOKEN_EXPIRED' : undefined;
}
