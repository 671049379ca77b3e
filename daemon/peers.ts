import type { JSONWebKeySet } from 'jose';

import { isOperation } from '../core/operations.ts';
import { refuse, succeed, type Result } from '../core/reasons.ts';
import { roles } from '../core/roles.ts';
import { isApiKeyScope } from '../core/scopes.ts';
import { AuthServiceClient } from '../protos/gen/digitalwallet/auth/v1/auth.ts';
import { WalletServiceClient } from '../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { keyWithoutTotp } from './platform/access.ts';
import type { VerifiedKey } from './platform/api-keys.ts';
import {
  createPeerClient,
  readPeerFailure,
  type PeerClient,
  type PeerTls,
} from './platform/grpc/client.ts';
import { createHold } from './platform/hold.ts';
import type { Revocation, RevocationFeed } from './platform/revocations.ts';

/** Several tries must fit into the 5 s after which nobody is let in any more. */
const feedTimeoutMs = 1_500;

const revocationKinds = {
  sessionId: 'session',
  userId: 'user',
  apiKeyId: 'api-key',
} as const satisfies Record<string, Revocation['kind']>;

/** The auth service as the others see it. `address` is asked for at the first call. */
export function createAuthPeer(address: () => string, credential: string, tls?: PeerTls) {
  const client = createPeerClient(AuthServiceClient, address, credential, tls);
  const feed: RevocationFeed = async (sinceMs) => {
    const since = sinceMs === undefined ? undefined : new Date(sinceMs);
    const answer = await client.call((c) => c.listRevocations, { since }, feedTimeoutMs);
    return {
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
      const { jwksJson } = await client.call((c) => c.getJwks, {});
      return JSON.parse(jwksJson) as JSONWebKeySet;
    },
    findUsers: async (userIds: readonly string[]) => {
      const request = { userIds: [...userIds], emails: [] };
      const { users } = await client.call((c) => c.resolveUsers, request);
      return new Set(users.map((user) => user.id));
    },
    findUser: (userId: string) => findUser(client, userId),
    verifyKey: (secret: string) => verifyKey(client, secret),
    close: () => client.close(),
  };
}

/** One user; undefined if there is none. Rejects if the auth service is out of reach. */
async function findUser(client: PeerClient<AuthServiceClient>, userId: string) {
  const { users } = await client.call((c) => c.resolveUsers, { userIds: [userId], emails: [] });
  const user = users[0];
  const role = user && roles.find((_name, i) => user.role === i + 1);
  if (!user || !role) return undefined;
  const { email, emailVerified: isEmailVerified, disabled: isDisabled } = user;
  return { email, role, isEmailVerified, isDisabled };
}

/** What the auth service says of an API key. */
async function verifyKey(
  client: PeerClient<AuthServiceClient>,
  secret: string,
): Promise<Result<VerifiedKey>> {
  try {
    const answer = await client.call((c) => c.validateToken, { accessToken: secret });
    const { apiKey, userId } = answer;
    const role = roles.find((_name, i) => answer.role === i + 1);
    if (!apiKey || !role) return refuse('TOKEN_INVALID', 'the API key is not one of ours');
    return succeed({
      keyId: apiKey.id,
      userId,
      role,
      scopes: apiKey.scopes.filter(isApiKeyScope),
      walletId: apiKey.walletId,
      operations: apiKey.operations.filter(isOperation),
      expiresAtMs: apiKey.expiresAt?.getTime() ?? 0,
      hasOwnerTotp: answer.totpEnabled,
    });
  } catch (err) {
    const { reason } = readPeerFailure(err);
    if (reason === 'TOKEN_INVALID') return refuse(reason, 'the API key is not valid');
    if (reason === 'TOKEN_EXPIRED') return refuse(reason, 'the API key has expired: make another');
    if (reason === 'TOKEN_REVOKED') return refuse(reason, 'the API key has been revoked');
    if (reason === 'TOTP_ENROLMENT_REQUIRED') return keyWithoutTotp;
    return refuse(
      'AUTH_UNAVAILABLE',
      'credentials cannot be checked now: the auth service is away',
    );
  }
}

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

/** The wallet service as the statement service sees it. */
export function createWalletPeer(address: () => string, credential: string, tls?: PeerTls) {
  const client = createPeerClient(WalletServiceClient, address, credential, tls);
  return {
    readHead: async (userId: string, currency: string, alsoSeq?: bigint) => {
      try {
        const request = { userId, currency, at: undefined, hashOfSeq: alsoSeq };
        const answer = await client.call((c) => c.getBalance, request, 1_500);
        const { wallet, asOf, hashOfSeq } = answer;
        const also =
          alsoSeq === undefined || !hashOfSeq
            ? undefined
            : { seq: alsoSeq, hash: Buffer.from(hashOfSeq).toString('hex') };
        const hash = wallet?.lastHash && Buffer.from(wallet.lastHash).toString('hex');
        return succeed({ seq: wallet?.seq ?? 0n, hash, asOfMs: asOf?.getTime() ?? 0, also });
      } catch (err) {
        const { reason, cause } = readPeerFailure(err);
        if (reason === 'USER_NOT_FOUND') {
          return refuse(reason, `there is no user ${userId}`, { field: 'user_id', userId });
        }
        const ofWallet = walletRefusals.get(reason);
        if (!ofWallet) throw cause;
        return ofWallet;
      }
    },
    readLedger: (walletId: string | undefined, after: LedgerPlace) =>
      readLedger(client, walletId, after),
    close: () => client.close(),
  };
}

/** A place in the ledger, in order of wallet and seq. */
type LedgerPlace = { readonly walletId: string; readonly seq: bigint };

/** The ledger's stream may break off so often without a step forward before it is given up. */
const maxStreamFailures = 5;

/** The ledger after a place, of one wallet or all; a stream that breaks off is gone on with. */
async function* readLedger(
  client: PeerClient<WalletServiceClient>,
  walletId: string | undefined,
  start: LedgerPlace,
) {
  let after = start;
  for (let failures = 0; ;) {
    const request = { walletId, afterWalletId: after.walletId, afterSeq: after.seq };
    try {
      for await (const { transactions } of client.stream((c) => c.streamLedger, request)) {
        const last = transactions.at(-1);
        if (!last) continue;
        yield transactions;
        after = { walletId: last.walletId, seq: last.seq };
        failures = 0;
      }
      return;
    } catch (err) {
      failures += 1;
      const message = 'the wallet service is out of reach: try again';
      const rejection = { reason: 'WALLET_UNAVAILABLE', message, metadata: {} } as const;
      if (failures > maxStreamFailures) throw createHold(rejection, readPeerFailure(err).cause);
      await new Promise((resolve) => setTimeout(resolve, 200 * 2 ** failures));
    }
  }
}
