import { createHash, randomBytes, randomUUID } from 'node:crypto';

import { isUuid } from '../../../core/ids.ts';
import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import { roleTable } from '../../../core/roles.ts';
import type {
  CreateApiKeyRequest,
  CreateApiKeyResponse,
  ListApiKeysRequest,
  ListApiKeysResponse,
  RevokeApiKeyRequest,
  RevokeApiKeyResponse,
  ValidateTokenResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  deny,
  lacksRequiredTotp,
  keyWithoutTotp,
  userNotFound,
} from '../../platform/access/access.ts';
import { apiKeyPrefix } from '../../platform/access/api-keys.ts';
import { appendAudit, type AuditTrail } from '../../platform/audit/audit.ts';
import type { ClockAlarm } from '../../platform/clock-alarm.ts';
import { readClock, type Db } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import type { Log } from '../../platform/log.ts';
import { checkNewKey, checkKey, maxKeysPerHour, maxValidKeys } from './domain.ts';
import type { Notices } from '../notices/notices.ts';
import { readPage } from '../paging.ts';
import { resolveOwner } from '../sessions/session-list.ts';
import * as keys from './store.ts';
import { lockUser } from '../users/store.ts';
import { checkSession } from '../sessions/caller-session.ts';
import * as store from '../store.ts';
import type { UserOptions } from '../users/users.ts';
import { toWireApiKey } from '../wire.ts';

/** A key for the caller; its secret is in the answer and nowhere else. */
export async function createApiKey(
  { db, notices }: UserOptions & { readonly notices: Notices },
  request: CreateApiKeyRequest,
  context: CallContext,
): Promise<Result<CreateApiKeyResponse>> {
  const { principal } = context;
  if (principal.kind !== 'user') return deny('only a user can have API keys');
  const { secret, prefix } = createSecret();
  return db.tx(async (tx) => {
    const owner = await lockUser(tx, principal.userId);
    if (!owner || owner.isDisabled) return deny('this account is disabled');
    const alive = await checkSession(tx, principal);
    if (!alive.ok) return alive;
    const asked = checkNewKey(request, owner.role, await readClock(tx));
    if (!asked.ok) return asked;
    if ((await keys.countValidKeys(tx, owner.id)) >= BigInt(maxValidKeys)) {
      return refuse('API_KEY_LIMIT', `${maxValidKeys} keys are valid already: revoke one first`, {
        limit: String(maxValidKeys),
      });
    }
    if ((await keys.countRecentKeys(tx, owner.id)) >= BigInt(maxKeysPerHour)) {
      return refuse(
        'API_KEY_LIMIT',
        `${maxKeysPerHour} keys were made within the hour: use one of them, or wait`,
        { limit: String(maxKeysPerHour) },
      );
    }
    const id = randomUUID();
    const secretHash = hashSecret(secret);
    const row = { ...asked.value, id, ownerId: owner.id, prefix, secretHash };
    const apiKey = await keys.insertKey(tx, row);
    const { name, scopes, walletId, operations, expiresAtMs } = apiKey;
    const details = {
      ownerId: owner.id,
      name,
      scopes: scopes.join(' '),
      operations: operations.join(' '),
      walletId: walletId ?? '',
      expiresAt: new Date(expiresAtMs).toISOString(),
    };
    await appendAudit(tx, context, { action: 'api_key.create', target: id, result: 'ok', details });
    const { source } = context;
    await notices.notifyOwner(tx, owner, { kind: 'api-key-created', source, client: name });
    return succeed({ apiKey: toWireApiKey(apiKey), secret });
  });
}

/** 32 random bits to know a key by, and 256 that are its secret. */
function createSecret(): { readonly secret: string; readonly prefix: string } {
  const prefix = `${apiKeyPrefix}${randomBytes(4).toString('hex')}`;
  return { prefix, secret: `${prefix}_${randomBytes(32).toString('base64url')}` };
}

/** What the database keeps of a secret: it has too many bits to be guessed, so one hash will do. */
const hashSecret = (secret: string): Buffer => createHash('sha256').update(secret).digest();

/** A page of keys, the newest first: the caller's own; for admins, those of any user. */
export async function listApiKeys(
  { db, trail }: UserOptions,
  request: ListApiKeysRequest,
  context: CallContext,
): Promise<Result<ListApiKeysResponse>> {
  const owner = resolveOwner(context, request.ownerId, 'owner_id');
  if (!owner.ok) return owner;
  const { userId, caller } = owner.value;
  const page = await readPage(request, [userId], (after, limit) =>
    db.read((tx) => keys.listKeys(tx, userId, after, limit)),
  );
  if (!page.ok) return page;
  if (userId !== caller.userId) {
    const [user] = await db.read((tx) => store.findUsers(tx, [userId], []));
    const result = user ? 'ok' : 'USER_NOT_FOUND';
    await trail.record(context, { action: 'api_key.list', target: userId, result });
    if (!user) return userNotFound(userId);
  }
  const { items, nextPageToken } = page.value;
  return succeed({ apiKeys: items.map(toWireApiKey), nextPageToken });
}

/** Revokes a key permanently; revoking it twice is no error. */
export async function revokeApiKey(
  { db, trail, revocations }: UserOptions,
  request: RevokeApiKeyRequest,
  context: CallContext,
): Promise<Result<RevokeApiKeyResponse>> {
  const { principal } = context;
  const { apiKeyId } = request;
  if (principal.kind !== 'user') return deny('only a user can end API keys');
  if (!isUuid(apiKeyId)) return keyNotFound(apiKeyId);
  const onlyOf = principal.role === 'admin' ? undefined : principal.userId;
  const ended = await db.tx(async (tx) => {
    const apiKey = await keys.lockKey(tx, apiKeyId, onlyOf);
    if (!apiKey) return keyNotFound(apiKeyId);
    const revocation = await keys.revokeKey(tx, apiKeyId);
    const details = { ownerId: apiKey.ownerId, name: apiKey.name };
    const line = { action: 'api_key.revoke', target: apiKeyId, result: 'ok', details };
    if (revocation) await appendAudit(tx, context, line);
    return succeed({ apiKey, revocation });
  });
  if (!ended.ok) {
    const exists = () => db.read((tx) => keys.hasKey(tx, apiKeyId));
    if (onlyOf) trail.recordForeign(context, 'revokeApiKey', ended.rejection, exists);
    return ended;
  }
  const { apiKey, revocation } = ended.value;
  if (revocation) revocations.apply(revocation);
  return succeed({ apiKey: toWireApiKey({ ...apiKey, isRevoked: true }) });
}

function keyNotFound(apiKeyId: string): { readonly ok: false; readonly rejection: Rejection } {
  return refuse('API_KEY_NOT_FOUND', `there is no API key ${apiKeyId}`, {
    field: 'api_key_id',
    apiKeyId,
  });
}

type KeyOptions = {
  readonly db: Db;
  readonly log: Log;
  readonly trail: AuditTrail;
  readonly isStaffTotpRequired: boolean;
  readonly clockAlarm: ClockAlarm;
};

const refusals = {
  TOKEN_REVOKED: refuse('TOKEN_REVOKED', 'the API key has been revoked, or its owner shut out'),
  TOKEN_EXPIRED: refuse('TOKEN_EXPIRED', 'the API key has expired: make another'),
} as const;

/**
 * What a key's secret stands for now. TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_REVOKED; and, recorded as
 * a denial, TOTP_ENROLMENT_REQUIRED if its owner must have a second factor and has none.
 */
export async function validateKey(
  { db, log, trail, isStaffTotpRequired, clockAlarm }: KeyOptions,
  secret: string,
  requestId: string,
): Promise<Result<ValidateTokenResponse>> {
  const { asOfMs, found } = await db.read(async (tx) => {
    // Never after the look at the key: a change in between must seem the later one of the two.
    const clockMs = await readClock(tx);
    return { asOfMs: clockMs, found: await keys.findKeyBySecret(tx, hashSecret(secret)) };
  });
  if (!found) return refuse('TOKEN_INVALID', 'the API key is not one of ours');
  const { key, role, hasOwnerTotp } = found;
  const reason = checkKey(key, found.isOwnerDisabled, asOfMs);
  if (reason) {
    if (reason === 'TOKEN_EXPIRED' && key.expiresAtMs > asOfMs) clockAlarm.report('API key');
    return refusals[reason];
  }
  if (isStaffTotpRequired && lacksRequiredTotp({ role, hasTotp: hasOwnerTotp })) {
    const { id: keyId, ownerId: userId, ...bounds } = key;
    const apiKey = { ...bounds, keyId, userId, role, hasOwnerTotp };
    const principal = { kind: 'user', userId, role, sessionId: undefined, apiKey } as const;
    trail.recordDenial({ principal, requestId }, 'validateToken', keyWithoutTotp.rejection);
    return keyWithoutTotp;
  }
  if (key.lastUsedAtMs === undefined || key.lastUsedAtMs <= asOfMs - 60_000) {
    // The call does not wait for it: the key works without it.
    db.tx((tx) => keys.noteKeyUse(tx, key.id)).catch((err: unknown) =>
      log.warn({ err, apiKeyId: key.id }, 'the use of an API key was not noted'),
    );
  }
  return succeed({
    userId: key.ownerId,
    role: roleTable[role].wireNumber,
    sessionId: '',
    expiresAt: new Date(key.expiresAtMs),
    apiKey: toWireApiKey(key),
    asOf: new Date(asOfMs),
    totpEnabled: hasOwnerTotp,
    totpEnrolmentRequired: false,
  });
}
