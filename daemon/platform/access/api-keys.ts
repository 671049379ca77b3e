import { createHash } from 'node:crypto';

import { networkOf } from '../../../core/networks.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type { Role } from '../../../core/roles.ts';
import type { ApiKeyScope } from '../../../core/scopes.ts';
import type { Operation } from '../../../core/operations.ts';
import { createFairSemaphore, type FairLimits } from '../concurrency/fair-semaphore.ts';
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
  /**
   * TOKEN_INVALID, TOKEN_EXPIRED, TOKEN_REVOKED, OVERLOADED where too many unknown keys are shown
   * at once, or AUTH_UNAVAILABLE where that is unknown. `source`: the address that the call came
   * from.
   */
  verify(secret: string, source?: string): Promise<Result<VerifiedKey>>;
};

/**
 * Secrets begin with this, so that scanners for leaked secrets know them; access tokens never do.
 */
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
/** So long a key that is not one of ours is refused unasked. */
const unknownMs = 10_000;
/** How long an unknown key waits for its turn. */
const turnMs = 5_000;

/**
 * Keys that nothing is known of are asked for a few at a time, and networks take turns: a flood of
 * made-up keys takes neither the connection to the auth service nor its database from others.
 */
const lookUpLimits: FairLimits = { maxAtOnce: 4, maxWaiting: 1_000, maxWaitingOf: [500] };

type KeyOptions = {
  readonly ask: (secret: string) => Promise<Result<VerifiedKey>>;
  readonly revocations: Pick<Revocations, 'userChangedAt'>;
  readonly nowMs: () => number;
};

/**
 * Verifies API keys by asking the auth service, and remembers the answer for a while. A key that
 * was revoked is refused by the feed of revocations; a change of its owner makes it asked for anew.
 */
export function createKeyVerifier(options: KeyOptions): KeyVerifier {
  const verdicts = new Map<string, Verdict>();
  const unknown = createUnknownKeys();
  const lookUps = createFairSemaphore(lookUpLimits);

  const ask = async (secret: string, digest: string): Promise<Result<VerifiedKey>> => {
    const askedAt = performance.now();
    const asked = await options.ask(secret);
    if (!asked.ok) {
      verdicts.delete(digest);
      if (asked.rejection.reason === 'TOKEN_INVALID') unknown.add(digest);
      return asked;
    }
    if (verdicts.size >= maxCached) verdicts.clear();
    const fromMs = options.nowMs();
    const untilMs = Math.min(fromMs + cacheMs, asked.value.expiresAtMs);
    verdicts.set(digest, { key: asked.value, askedAt, fromMs, untilMs });
    return asked;
  };
  /** What is remembered of a key, as far as it holds now. */
  const recall = (digest: string): Result<VerifiedKey> | undefined => {
    if (unknown.has(digest)) return notOurs;
    const cached = verdicts.get(digest);
    if (!cached) return undefined;
    const changedAt = options.revocations.userChangedAt(cached.key.userId);
    const isCurrent = changedAt === undefined || changedAt < cached.askedAt;
    const nowMs = options.nowMs();
    // A clock that stepped back does not make the answer last longer.
    const isKept = cached.fromMs <= nowMs && nowMs < cached.untilMs;
    return isKept && isCurrent ? succeed(cached.key) : undefined;
  };

  return {
    verify: async (secret, source = '') => {
      // A digest, so that no secret lies about in memory for longer than its call.
      const digest = createHash('sha256').update(secret).digest('base64');
      const known = recall(digest);
      if (known) return known;
      // A key that was ours lately does not wait behind those that never were.
      if (verdicts.has(digest)) return ask(secret, digest);
      const deadlineMs = performance.now() + turnMs;
      const turn = { path: [networkOf(source)], deadlineMs, isCancelled: () => false };
      const done = await lookUps.run(
        turn,
        async () => recall(digest) ?? (await ask(secret, digest)),
      );
      return done.ok ? done.value : { ok: false, rejection: tooManyUnknown };
    },
  };
}

/**
 * Keys that are not ours, for a short time. A secret is random: none of them becomes one of ours.
 */
function createUnknownKeys() {
  const untilMs = new Map<string, number>();
  return {
    has: (digest: string): boolean => (untilMs.get(digest) ?? 0) > performance.now(),
    add: (digest: string): void => {
      const [oldest] = untilMs.size >= maxCached ? untilMs.keys() : [];
      if (oldest !== undefined) untilMs.delete(oldest);
      untilMs.delete(digest);
      untilMs.set(digest, performance.now() + unknownMs);
    },
  };
}

const notOurs = refuse('TOKEN_INVALID', 'the API key is not valid');
/** Answered like a credential that is not accepted: most of those who get it show made-up ones. */
export const { rejection: tooManyUnknown } = refuse(
  'OVERLOADED',
  'too many API keys are shown that are not known here: try again shortly',
);
