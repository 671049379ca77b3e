import type { Log } from './log.ts';

/** A session or an API key that was ended, or a user all of whose tokens up to a time are void. */
export type Revocation = {
  readonly kind: 'session' | 'user' | 'api-key';
  readonly id: string;
  readonly revokedAtMs: number;
};

export type Revocations = {
  /** Takes effect at once in this process; the feed brings it to the others. */
  apply(revocation: Revocation): void;
  isRevoked(token: {
    readonly userId: string;
    readonly sessionId: string;
    readonly issuedAtMs: number;
  }): boolean;
  isKeyRevoked(keyId: string): boolean;
  /** When all tokens of this user were last made void; undefined if that was not lately. */
  userRevokedAtMs(userId: string): number | undefined;
  /** STAFF_TOTP of the auth service, as the feed last said it. */
  isStaffTotpRequired(): boolean;
  /** False if the feed has not been heard for 5 s: then nobody can be let in. */
  isFresh(): boolean;
  start(): Promise<void>;
  stop(): void;
};

export type RevocationFeed = (sinceMs: number | undefined) => Promise<{
  readonly revocations: readonly Revocation[];
  readonly asOfMs: number;
  readonly isStaffTotpRequired: boolean;
}>;

const pollMs = 1_000;
const freshMs = 5_000;
/** Rows are stamped before they commit, so each poll asks from a little before the last one. */
const overlapMs = 60_000;
/** Longer than any access token lives (15 minutes): older revocations can no longer matter. */
const keepMs = 20 * 60_000;

/** Follows the auth service's feed of revocations. */
export function createRevocations(options: {
  readonly feed: RevocationFeed;
  readonly log: Log;
}): Revocations {
  const revoked = {
    session: new Map<string, number>(),
    user: new Map<string, number>(),
    'api-key': new Map<string, number>(),
  };
  let asOfMs: number | undefined;
  let isStaffTotpRequired = false;
  let heardAt = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  const apply = (revocation: Revocation): void => {
    const map = revoked[revocation.kind];
    const known = map.get(revocation.id) ?? 0;
    map.set(revocation.id, Math.max(known, revocation.revokedAtMs));
  };

  const poll = async (): Promise<void> => {
    const startedAt = performance.now();
    try {
      const since = asOfMs === undefined ? undefined : asOfMs - overlapMs;
      const answer = await options.feed(since);
      answer.revocations.forEach(apply);
      asOfMs = answer.asOfMs;
      isStaffTotpRequired = answer.isStaffTotpRequired;
      heardAt = startedAt;
      for (const map of Object.values(revoked)) {
        for (const [id, atMs] of map) if (atMs < asOfMs - keepMs) map.delete(id);
      }
    } catch (err) {
      options.log.warn({ err }, 'the feed of revocations is out of reach');
    }
    if (!isStopped) timer = setTimeout(() => void poll(), pollMs);
  };

  return {
    apply,
    isRevoked: (token) =>
      revoked.session.has(token.sessionId) ||
      token.issuedAtMs <= (revoked.user.get(token.userId) ?? -1),
    isKeyRevoked: (keyId) => revoked['api-key'].has(keyId),
    userRevokedAtMs: (userId) => revoked.user.get(userId),
    isStaffTotpRequired: () => isStaffTotpRequired,
    isFresh: () => performance.now() - heardAt < freshMs,
    start: poll,
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
