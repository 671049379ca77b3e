import { roles, type Role } from '../../core/roles.ts';
import {
  Role as WireRole,
  type ApiKey as WireApiKey,
  type Session as WireSession,
  type User as WireUser,
} from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { ApiKey } from './api-keys/domain.ts';
import type { User } from './domain.ts';
import type { ListedSession } from './sessions/store.ts';

const wireRoles: Readonly<Record<Role, WireRole>> = {
  customer: WireRole.CUSTOMER,
  operator: WireRole.OPERATOR,
  admin: WireRole.ADMIN,
};

export const toWireRole = (role: Role): WireRole => wireRoles[role];

/** The role that a number on the wire stands for; undefined for UNSPECIFIED and unknown ones. */
export function readRole(wire: WireRole): Role | undefined {
  return roles.find((role) => wireRoles[role] === wire);
}

export function toWireUser(user: User): WireUser {
  return {
    id: user.id,
    email: user.email,
    role: wireRoles[user.role],
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
