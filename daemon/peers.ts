import type { JSONWebKeySet } from 'jose';

import { refuse, succeed } from '../core/reasons.ts';
import { AuthServiceClient } from '../protos/gen/digitalwallet/auth/v1/auth.ts';
import { WalletServiceClient } from '../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createPeerClient, readPeerFailure } from './platform/grpc/client.ts';
import type { Revocation, RevocationFeed } from './platform/revocations.ts';

/** Several tries must fit into the 5 s after which nobody is let in any more. */
const feedTimeoutMs = 1_500;

/** The auth service as the others see it. `address` is asked for at the first call. */
export function createAuthPeer(address: () => string, credential: string) {
  const client = createPeerClient(AuthServiceClient, address, credential);
  const feed: RevocationFeed = async (sinceMs) => {
    const since = sinceMs === undefined ? undefined : new Date(sinceMs);
    const answer = await client.call((c) => c.listRevocations, { since }, feedTimeoutMs);
    return {
      asOfMs: answer.asOf?.getTime() ?? 0,
      revocations: answer.revocations.flatMap(({ subject, revokedAt }): Revocation[] => {
        const revokedAtMs = revokedAt?.getTime() ?? 0;
        if (subject?.$case === 'sessionId')
          return [{ kind: 'session', id: subject.value, revokedAtMs }];
        if (subject?.$case === 'userId') return [{ kind: 'user', id: subject.value, revokedAtMs }];
        return [];
      }),
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
    close: () => client.close(),
  };
}

/** The wallet service as the statement service sees it. */
export function createWalletPeer(address: () => string, credential: string) {
  const client = createPeerClient(WalletServiceClient, address, credential);
  return {
    readHead: async (userId: string, currency: string) => {
      try {
        const request = { userId, currency, at: undefined };
        const { wallet, asOf } = await client.call((c) => c.getBalance, request, 1_500);
        const lastAtMs = wallet?.lastAt?.getTime() ?? 0;
        return succeed({ seq: wallet?.seq ?? 0n, lastAtMs, asOfMs: asOf?.getTime() ?? 0 });
      } catch (err) {
        const { reason, cause } = readPeerFailure(err);
        if (reason !== 'USER_NOT_FOUND') throw cause;
        return refuse('USER_NOT_FOUND', `there is no user ${userId}`, { field: 'user_id', userId });
      }
    },
    close: () => client.close(),
  };
}
