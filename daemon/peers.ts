import type { JSONWebKeySet } from 'jose';

import { isOperation } from '../core/operations.ts';
import { refuse, succeed, type Reason, type Rejection, type Result } from '../core/reasons.ts';
import { roleOfWireNumber } from '../core/roles.ts';
import { isApiKeyScope } from '../core/scopes.ts';
import {
  AuthServiceService,
  ExchangeSessionRequest,
  GetJwksRequest,
  ListRevocationsRequest,
  ResolveUsersRequest,
  ValidateTokenRequest,
} from '../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  GetBalanceRequest,
  StreamLedgerRequest,
  WalletServiceService,
} from '../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { keyWithoutTotp } from './platform/access/access.ts';
import type { VerifiedKey } from './platform/access/api-keys.ts';
import type { Caller } from './platform/grpc/caller/caller.ts';
import { createTransientRejection } from './platform/transient-rejection.ts';
import type { Revocation, RevocationFeed } from './platform/access/revocations.ts';

const defaultTimeoutMs = 5_000;
/** Several tries must fit into the 5 s after which every user is refused. */
const feedTimeoutMs = 1_500;

const revocationKinds = {
  sessionId: 'session',
  userId: 'user',
  apiKeyId: 'api-key',
} as const satisfies Record<string, Revocation['kind']>;

const within = (timeoutMs = defaultTimeoutMs) => ({ deadlineMs: performance.now() + timeoutMs });

/** The answer; rejects where there is none. */
async function take<T>(asked: Promise<Result<T>>): Promise<T> {
  const result = await asked;
  if (!result.ok) throw toError(result.rejection);
  return result.value;
}

/** Not what `findTransientRejection` reads: a peer's refusal is not an answer to our caller. */
const toError = ({ reason, message }: Rejection): Error => new Error(`${reason}: ${message}`);

/**
 * The auth service as the others see it, by a caller that is one of our own services. `feedCaller`:
 * for the feed of revocations, which waits behind nothing else where it has a connection of its
 * own.
 */
export function createAuthPeer(caller: Caller, feedCaller = caller) {
  const { listRevocations, getJwks, resolveUsers } = AuthServiceService;
  const feed: RevocationFeed = async (sinceMs, pageToken) => {
    const since = sinceMs === undefined ? undefined : new Date(sinceMs);
    const request = ListRevocationsRequest.fromPartial({ since, pageToken });
    const answer = await take(feedCaller.call(listRevocations, request, within(feedTimeoutMs)));
    return {
      nextPageToken: answer.nextPageToken,
      asOfMs: answer.asOf?.getTime() ?? 0,
      isStaffTotpRequired: answer.staffTotpRequired,
      revocations: answer.revocations.flatMap(
        ({ subject, revokedAt, generation }): Revocation[] => {
          if (!subject) return [];
          const revokedAtMs = revokedAt?.getTime() ?? 0;
          const kind = revocationKinds[subject.$case];
          const known = generation === undefined ? {} : { generation: Number(generation) };
          return [{ kind, id: subject.value, revokedAtMs, ...known }];
        },
      ),
    };
  };
  return {
    feed,
    fetchJwks: async () => {
      const request = GetJwksRequest.fromPartial({});
      const { jwksJson } = await take(caller.call(getJwks, request, within()));
      return JSON.parse(jwksJson) as JSONWebKeySet;
    },
    findUsers: async (userIds: readonly string[]) => {
      const request = ResolveUsersRequest.fromPartial({ userIds: [...userIds] });
      const { users } = await take(caller.call(resolveUsers, request, within()));
      return new Set(users.map((user) => user.id));
    },
    findUser: (userId: string) => findUser(caller, userId),
    verifyKey: (secret: string) => verifyKey(caller, secret),
    exchangeSession: (token: string, bearer: Bearer) => exchangeSession(caller, token, bearer),
  };
}

/** One user; undefined if there is none. Rejects if the auth service is unavailable. */
async function findUser(caller: Caller, userId: string) {
  const request = ResolveUsersRequest.fromPartial({ userIds: [userId] });
  const { resolveUsers } = AuthServiceService;
  const { users } = await take(caller.call(resolveUsers, request, within()));
  const user = users[0];
  const role = user && roleOfWireNumber(user.role);
  if (!user || !role) return undefined;
  const { email, emailVerified: isEmailVerified, disabled: isDisabled } = user;
  return { email, role, isEmailVerified, isDisabled };
}

/** Who shows a session cookie: for the limits and the log of the auth service. */
type Bearer = { readonly source: string; readonly requestId: string };

/** An access token for the token of a browser's session. */
async function exchangeSession(
  caller: Caller,
  browserToken: string,
  bearer: Bearer,
): Promise<Result<{ readonly accessToken: string; readonly expiresAtMs: number }>> {
  const method = AuthServiceService.exchangeSession;
  const request = ExchangeSessionRequest.fromPartial({ browserToken });
  const answer = await caller.call(method, request, { ...bearer, ...within() });
  if (answer.ok) {
    const { accessToken = '', accessTokenExpiresAt } = answer.value.tokens ?? {};
    return succeed({ accessToken, expiresAtMs: accessTokenExpiresAt?.getTime() ?? 0 });
  }
  const { reason, message, metadata } = answer.rejection;
  // Of the cookie, or passing by itself; anything else is about our own credential.
  const isOfCookie = metadata['field'] === 'browser_token';
  if (isOfCookie) return refuse(reason, message, { field: 'Cookie' });
  if (reason === 'OVERLOADED' || reason === 'SHUTTING_DOWN') return answer;
  return refuse('AUTH_UNAVAILABLE', 'the session cookie cannot be checked now: try again');
}

/** What the auth service says of an API key. */
async function verifyKey(caller: Caller, secret: string): Promise<Result<VerifiedKey>> {
  const { validateToken } = AuthServiceService;
  const request = ValidateTokenRequest.fromPartial({ accessToken: secret });
  const answer = await caller.call(validateToken, request, within());
  if (!answer.ok) return refuseKey(answer.rejection.reason);
  const { apiKey, userId, role: wireRole, totpEnabled: hasOwnerTotp } = answer.value;
  const role = roleOfWireNumber(wireRole);
  if (!apiKey || !role) return refuse('TOKEN_INVALID', 'the API key is not one of ours');
  return succeed({
    keyId: apiKey.id,
    userId,
    role,
    scopes: apiKey.scopes.filter(isApiKeyScope),
    walletId: apiKey.walletId,
    operations: apiKey.operations.filter(isOperation),
    expiresAtMs: apiKey.expiresAt?.getTime() ?? 0,
    hasOwnerTotp,
  });
}

function refuseKey(reason: Reason): Result<never> {
  switch (reason) {
    case 'TOKEN_INVALID':
      return refuse(reason, 'the API key is not valid');
    case 'TOKEN_EXPIRED':
      return refuse(reason, 'the API key has expired: make another');
    case 'TOKEN_REVOKED':
      return refuse(reason, 'the API key has been revoked');
    case 'TOTP_ENROLMENT_REQUIRED':
      return keyWithoutTotp;
    default:
      return refuse(
        'AUTH_UNAVAILABLE',
        'credentials cannot be checked now: the auth service is unavailable',
      );
  }
}

const headTimeoutMs = 1_500;

/** What the wallet service refuses for one wallet, while it answers for the others. */
const walletRefusals: ReadonlyMap<string | undefined, Result<never>> = new Map([
  [
    'WALLET_CORRUPT',
    refuse(
      'WALLET_CORRUPT',
      'the wallet does not agree with its last transaction: an operator has to look into it',
    ),
  ],
  ['WALLET_BUSY', refuse('WALLET_BUSY', 'another transaction has the wallet locked: try again')],
]);

/**
 * The wallet service as the statement service sees it, by a caller that is one of our own services.
 */
export function createWalletPeer(caller: Caller) {
  return {
    readHead: async (userId: string, currency: string, alsoSeq?: bigint) => {
      const request = GetBalanceRequest.fromPartial({ userId, currency, hashOfSeq: alsoSeq });
      const { getBalance } = WalletServiceService;
      const answer = await caller.call(getBalance, request, within(headTimeoutMs));
      if (answer.ok) {
        const { wallet, asOf, hashOfSeq } = answer.value;
        const also =
          alsoSeq === undefined || !hashOfSeq
            ? undefined
            : { seq: alsoSeq, hash: Buffer.from(hashOfSeq).toString('hex') };
        const hash = wallet?.lastHash && Buffer.from(wallet.lastHash).toString('hex');
        return succeed({ seq: wallet?.seq ?? 0n, hash, asOfMs: asOf?.getTime() ?? 0, also });
      }
      const { reason } = answer.rejection;
      if (reason === 'USER_NOT_FOUND') {
        return refuse(reason, `there is no user ${userId}`, { field: 'user_id', userId });
      }
      const ofWallet = walletRefusals.get(reason);
      if (!ofWallet) throw toError(answer.rejection);
      return ofWallet;
    },
    readLedger: (walletId: string | undefined, after: LedgerPlace) =>
      readLedger(caller, walletId, after),
  };
}

/** A place in the ledger, in order of wallet and seq. */
type LedgerPlace = { readonly walletId: string; readonly seq: bigint };

/** The ledger's stream may break off so often without a step forward before it is given up. */
const maxStreamFailures = 5;

/** The ledger after a place, of one wallet or all; a stream that breaks off is gone on with. */
async function* readLedger(caller: Caller, walletId: string | undefined, start: LedgerPlace) {
  let after = start;
  for (let failures = 0; ;) {
    const place = { walletId, afterWalletId: after.walletId, afterSeq: after.seq };
    const request = StreamLedgerRequest.fromPartial(place);
    try {
      const { streamLedger } = WalletServiceService;
      for await (const { transactions } of caller.stream(streamLedger, request)) {
        const last = transactions.at(-1);
        if (!last) continue;
        yield transactions;
        after = { walletId: last.walletId, seq: last.seq };
        failures = 0;
      }
      return;
    } catch (err) {
      failures += 1;
      const message = 'the wallet service is unavailable: try again';
      const rejection = { reason: 'WALLET_UNAVAILABLE', message, metadata: {} } as const;
      if (failures > maxStreamFailures) throw createTransientRejection(rejection, err);
      await new Promise((resolve) => setTimeout(resolve, 200 * 2 ** failures));
    }
  }
}
