import { roleTable } from '../../core/roles.ts';
import {
  SessionKind,
  type ApiKey as WireApiKey,
  type Session as WireSession,
  type User as WireUser,
} from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { ApiKey } from './api-keys/domain.ts';
import type { User } from './domain.ts';
import type { ListedSession } from './sessions/store.ts';

export function toWireUser(user: User): WireUser {
  return {
    id: user.id,
    email: user.email,
    role: roleTable[user.role].wireNumber,
    disabled: user.isDisabled,
    emailVerified: user.isEmailVerified,
    createdAt: new Date(user.createdAtMs),
    totpEnabled: user.hasTotp,
  };
}

export function toWireSession(session: ListedSession, currentId: string | undefined): WireSession {
  return {
    id: session.id,
    userId: session.userId,
    client: session.client,
    createdAt: new Date(session.createdAtMs),
    lastUsedAt: new Date(session.lastUsedAtMs),
    expiresAt: new Date(session.expiresAtMs),
    current: session.id === currentId,
    kind: session.isBrowser ? SessionKind.BROWSER : SessionKind.TOKENS,
  };
}

export function toWireApiKey(key: ApiKey): WireApiKey {
  return {
    id: key.id,
    ownerId: key.ownerId,
    name: key.name,
    prefix: key.prefix,
    scopes: [...key.scopes],
    walletId: key.walletId,
    operations: [...key.operations],
    createdAt: new Date(key.createdAtMs),
    expiresAt: new Date(key.expiresAtMs),
    lastUsedAt: key.lastUsedAtMs === undefined ? undefined : new Date(key.lastUsedAtMs),
    revoked: key.isRevoked,
  };
}
