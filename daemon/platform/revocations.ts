import { accessTokenLifeMs, clockStepMs } from '../../core/stored-times.ts';
import type { Log } from './log.ts';

/** A session or an API key that was ended, or a user all of whose tokens were made void. */
export type Revocation = {
  readonly kind: 'session' | 'user' | 'api-key';
  readonly id: string;
  readonly revokedAtMs: number;
  /** Of a user: earlier generations of tokens are void. Absent: those issued until then. */
  readonly generation?: number;
};

export type Revocations = {
  /** Takes effect at once in this process; the feed brings it to the others. */
  apply(revocation: Revocation): void;
  isRevoked(token: {
    readonly userId: string;
    readonly sessionId: string;
    readonly issuedAtMs: number;
    readonly generation: number;
  }): boolean;
  isKeyRevoked(keyId: string): boolean;
  /**
   * When it became known here that all tokens of this user were made void, by the monotonic clock;
   * undefined if that was not lately.
   */
  userChangedAt(userId: string): number | undefined;
  /** The auth database's clock, by which tokens and keys end; before the first answer, the host's. */
  nowMs(): number;
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
/**
 * Longer than any access token lives, after a small step back of the clock too: what was last heard of
 * before can no longer matter.
 */
const keepMs = accessTokenLifeMs + clockStepMs + 5 * 60_000;

/** What is known of a subject, and since when and until when it was heard, by the monotonic clock. */
type Known = {
  readonly generation: number;
  /** Of revocations without a generation. */
  readonly untilMs: number;
  readonly changedAt: number;
  readonly heardAt: number;
};
const unknown = { generation: 0, untilMs: -1, changedAt: 0 };

/** Follows the auth service's feed of revocations. */
export function createRevocations(options: {
  readonly feed: RevocationFeed;
  readonly log: Log;
}): Revocations {
  const revoked = {
    session: new Map<string, Known>(),
    user: new Map<string, Known>(),
    'api-key': new Map<string, Known>(),
  };
  let asOfMs: number | undefined;
  let isStaffTotpRequired = false;
  let heardAt = -Infinity;
  let timer: NodeJS.Timeout | undefined;
  let isStopped = false;

  const apply = (revocation: Revocation): void => {
    const map = revoked[revocation.kind];
    const now = performance.now();
    const known = map.get(revocation.id) ?? unknown;
    const isByTime = revocation.generation === undefined;
    const generation = Math.max(known.generation, revocation.generation ?? 0);
    const untilMs = Math.max(known.untilMs, isByTime ? revocation.revokedAtMs : -1);
    const isNew = generation > known.generation || untilMs > known.untilMs;
    const changedAt = isNew ? now : known.changedAt;
    map.set(revocation.id, { generation, untilMs, changedAt, heardAt: now });
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
        for (const [id, known] of map) if (known.heardAt < startedAt - keepMs) map.delete(id);
      }
    } catch (err) {
      options.log.warn({ err }, 'the feed of revocations is out of reach');
    }
    if (!isStopped) timer = setTimeout(() => void poll(), pollMs);
  };

  return {
    apply,
    isRevoked: (token) => {
      if (revoked.session.has(token.sessionId)) return true;
      const { generation, untilMs } = revoked.user.get(token.userId) ?? unknown;
      return token.generation < generation || token.issuedAtMs <= untilMs;
    },
    isKeyRevoked: (keyId) => revoked['api-key'].has(keyId),
    userChangedAt: (userId) => revoked.user.get(userId)?.changedAt,
    nowMs: () => (asOfMs === undefined ? Date.now() : asOfMs + performance.now() - heardAt),
    isStaffTotpRequired: () => isStaffTotpRequired,
    isFresh: () => performance.now() - heardAt < freshMs,
    start: poll,
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}
