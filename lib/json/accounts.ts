import {
  SessionKind,
  type ApiKey,
  type Session,
  type User,
} from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { nameRole } from './names.ts';

/** docs/cli.md, "JSON": the shape of a user. */
export function toUserJson(user: User): object {
  return {
    id: user.id,
    email: user.email,
    role: nameRole(user.role),
    disabled: user.disabled,
    emailVerified: user.emailVerified,
    createdAt: user.createdAt?.toISOString(),
    totpEnabled: user.totpEnabled,
  };
}

/** docs/cli.md, "JSON": the shape of a session. */
export function toSessionJson(session: Session): object {
  return {
    id: session.id,
    userId: session.userId,
    client: session.client === '' ? undefined : session.client,
    createdAt: session.createdAt?.toISOString(),
    lastUsedAt: session.lastUsedAt?.toISOString(),
    expiresAt: session.expiresAt?.toISOString(),
    current: session.current,
    kind: nameSessionKind(session),
  };
}

/** Undefined where the server is older than kinds of sessions are. */
export const nameSessionKind = ({ kind }: Session): string | undefined =>
  kind === SessionKind.BROWSER ? 'browser' : kind === SessionKind.TOKENS ? 'tokens' : undefined;

/** docs/cli.md, "JSON": the shape of an API key. */
export function toApiKeyJson(key: ApiKey): object {
  return {
    id: key.id,
    ownerId: key.ownerId,
    name: key.name,
    prefix: key.prefix,
    scopes: key.scopes,
    walletId: key.walletId,
    operations: key.operations.length > 0 ? key.operations : undefined,
    createdAt: key.createdAt?.toISOString(),
    expiresAt: key.expiresAt?.toISOString(),
    lastUsedAt: key.lastUsedAt?.toISOString(),
    revoked: key.revoked,
  };
}
