import { createHash } from 'node:crypto';

import { succeed, type Result } from '../../core/reasons.ts';
import type { Role } from '../../core/roles.ts';
import type { ApiKeyScope } from '../../core/scopes.ts';
import type { Operation } from '../../core/operations.ts';
import type { Revocations } from './revocations.ts';

/** What an API key may do: its owner's role now, within its own bounds. */
export type VerifiedKey = {
  readonly keyId: string;
  readonly userId: string;
  readonly role: Role;
  readonly scopes: readonly ApiKeyScope[];
  /** The only wallet that it reaches; undefined: all that its owner may reach. */
  readonly walletId: string | undefined;
  /** The only operations that it may post; empty: all that its owner may post. */
  readonly operations: readonly Operation[];
  readonly expiresAtMs: number;
  /** Its owner has a second factor now. */
  readonly hasOwnerTotp: boolean;
};

export type KeyVerifier = {
  /** TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_REVOKED, or AUTH_UNAVAILABLE where nobody can tell. */
  verify(secret: string): Promise<Result<VerifiedKey>>;
};

/** Secrets begin with this, so that scanners for leaked secrets know them; access tokens never do. */
export const apiKeyPrefix = 'dwk_';

export const isApiKey = (credential: string): boolean => credential.startsWith(apiKeyPrefix);

type Verdict = {
  readonly key: VerifiedKey;
  /** When it was asked for, by the monotonic clock. */
  readonly askedAt: number;
  readonly fromMs: number;
  readonly untilMs: number;
};

const maxCached = 10_000;
/** After this a key is looked up again, which is also how its last use gets known. */
const cacheMs = 30_000;

/**
 * Verifies API keys by asking the auth service, and remembers the answer for a while. A key that
 * was revoked is refused by the feed of revocations; a change of its owner makes it asked for anew.
 */
export function createKeyVerifier(options: {
  readonly ask: (secret: string) => Promise<Result<VerifiedKey>>;
  readonly revocations: Pick<Revocations, 'userChangedAt'>;
  readonly nowMs: () => number;
}): KeyVerifier {
  const verdicts = new Map<string, Verdict>();
  return {
    verify: async (secret) => {
      // A digest, so that no secret lies about in memory for longer than its call.
      const digest = createHash('sha256').update(secret).digest('base64');
      const cached = verdicts.get(digest);
      const changedAt = cached && options.revocations.userChangedAt(cached.key.userId);
      const isCurrent = changedAt === undefined || changedAt < (cached?.askedAt ?? 0);
      const nowMs = options.nowMs();
      // A clock that stepped back does not make the answer last longer.
      const isKept = cached && cached.fromMs <= nowMs && nowMs < cached.untilMs;
      if (isKept && isCurrent) return succeed(cached.key);
      verdicts.delete(digest);
      const askedAt = performance.now();
      const asked = await options.ask(secret);
      if (!asked.ok) return asked;
      if (verdicts.size >= maxCached) verdicts.clear();
      const fromMs = options.nowMs();
      const untilMs = Math.min(fromMs + cacheMs, asked.value.expiresAtMs);
      verdicts.set(digest, { key: asked.value, askedAt, fromMs, untilMs });
      return asked;
    },
  };
}
