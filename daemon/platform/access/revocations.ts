import { accessTokenLifeMs, clockStepMs } from '../../../core/time/stored-times.ts';
import type { Log } from '../log.ts';

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
  /**
   * The auth database's clock, by which tokens and keys end; before the first answer, the host's.
   */
  nowMs(): number;
  /** STAFF_TOTP of the auth service, as the feed last said it. */
  isStaffTotpRequired(): boolean;
  /** False if no message of the feed came for 5 s: every call must be refused then. */
  isFresh(): boolean;
  start(): Promise<void>;
  stop(): void;
};

/** A page of what was revoked since; `pageToken` is empty for the first. */
export type RevocationFeed = (
  sinceMs: number | undefined,
  pageToken: string,
) => Promise<{
  readonly revocations: readonly Revocation[];
  readonly asOfMs: number;
  readonly isStaffTotpRequired: boolean;
  /** Empty or absent on the last page. */
  readonly nextPageToken?: string;
}>;

const pollMs = 1_000;
const freshMs = 5_000;
/** Rows are stamped before they commit, so each poll asks from a little before the last one. */
const overlapMs = 60_000;
/**
 * Longer than any access token lives, after a small step back of the clock too: what was last heard
 * of before can no longer matter.
 */
const keepMs = accessTokenLifeMs + clockStepMs + 5 * 60_000;

/**
 * What is known of a subject, and since when and until when it was heard, by the monotonic clock.
 */
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
    let isHeard = false;
    try {
      const since = asOfMs === undefined ? undefined : asOfMs - overlapMs;
      const answer = await readAll(options.feed, since, apply);
      asOfMs = answer.asOfMs;
      isStaffTotpRequired = answer.isStaffTotpRequired;
      heardAt = startedAt;
      isHeard = true;
      for (const map of Object.values(revoked)) {
        for (const [id, known] of map) if (known.heardAt < startedAt - keepMs) map.delete(id);
      }
    } catch (err) {
      options.log.warn({ err }, 'the feed of revocations is unavailable');
    }
    // What took so long to read is not new any more: the next look reads the last minute only.
    const delayMs = performance.now() - startedAt > pollMs ? 0 : pollMs;
    if (!isStopped) timer = setTimeout(() => void poll(), isHeard ? delayMs : pollMs);
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
    start: async () => {
      await poll();
      // After very many revocations: a second look is short.
      if (asOfMs === undefined || performance.now() - heardAt < freshMs) return;
      clearTimeout(timer);
      await poll();
    },
    stop: () => {
      isStopped = true;
      clearTimeout(timer);
    },
  };
}

/** Reads the feed page by page. Rejects where one of them is not to be had. */
async function readAll(
  feed: RevocationFeed,
  sinceMs: number | undefined,
  apply: (revocation: Revocation) => void,
): ReturnType<RevocationFeed> {
  const first = await feed(sinceMs, '');
  first.revocations.forEach(apply);
  for (let { nextPageToken } = first; nextPageToken;) {
    const page = await feed(sinceMs, nextPageToken);
    page.revocations.forEach(apply);
    ({ nextPageToken } = page);
  }
  // The time of the first page: what is revoked while the others are read comes with the next look.
  return first;
}
