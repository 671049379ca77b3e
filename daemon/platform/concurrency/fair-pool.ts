/** What has a place in a pool. */
export type PoolMember = {
  /** Since when it does nothing, by the pool's clock; undefined while it must not be ended. */
  findIdleSinceMs(): number | undefined;
  /** Ends it, to make room. Its place is free already. */
  end(): void;
};

type Permit = { release(): void };

/** `full`: the pool is. `own`: the holder has as many places as one may have. */
type Taken = Permit | 'full' | 'own';

export type FairPool = {
  /** A permit for this holder, or the reason why there is none. */
  acquire(holder: string, holding: PoolMember): Taken;
  /** How many places are taken. */
  size(): number;
};

export type PoolLimits = {
  readonly all: number;
  /** How many of these one holder may have. */
  readonly ofOne: (holder: string) => number;
  /** A holder at its own cap gets a place by the end of its own longest idle holding. */
  readonly replacesOwn: boolean;
};

/** After a search that found nothing idle the next one waits so long: a search costs time. */
const searchEveryMs = 20;

type Found = { readonly holder: string; readonly holding: PoolMember };

/**
 * Places that many share. No holder has more than its part. When all are taken, a newcomer gets the
 * place of the longest idle holding of the largest holder, if that one has more than the newcomer;
 * what is busy is never ended.
 */
export function createFairPool(limits: PoolLimits, nowMs: () => number): FairPool {
  const groups = new Map<string, Set<PoolMember>>();
  let count = 0;
  const quiet = { untilMs: -Infinity, least: Infinity };

  const remove = (holder: string, holding: PoolMember): void => {
    const group = groups.get(holder);
    if (!group?.delete(holding)) return;
    count -= 1;
    if (group.size === 0) groups.delete(holder);
  };
  const displace = ({ holder, holding }: Found): void => {
    remove(holder, holding);
    holding.end();
  };
  const findDisplaced = (holder: string, own: number): Found | undefined => {
    const now = nowMs();
    if (now < quiet.untilMs && own >= quiet.least) return undefined;
    const found = findOfLargest(groups, own) ?? findOwn(holder);
    if (!found) Object.assign(quiet, { untilMs: now + searchEveryMs, least: own });
    return found;
  };
  const findOwn = (holder: string): Found | undefined => {
    if (!limits.replacesOwn) return undefined;
    const longest = findLongestIdle(groups.get(holder) ?? new Set());
    return longest && { holder, holding: longest.holding };
  };

  return {
    acquire: (holder, holding) => {
      const own = groups.get(holder)?.size ?? 0;
      const isOwnFull = own >= limits.ofOne(holder);
      if (isOwnFull || count >= limits.all) {
        const victim = isOwnFull ? findOwn(holder) : findDisplaced(holder, own);
        if (!victim) return isOwnFull ? 'own' : 'full';
        displace(victim);
      }
      const group = groups.get(holder) ?? new Set();
      groups.set(holder, group.add(holding));
      count += 1;
      return { release: () => remove(holder, holding) };
    },
    size: () => count,
  };
}

type Idle = { readonly holding: PoolMember; readonly sinceMs: number };

/** The longest idle holding of the largest holder of more than `own` that has one. */
function findOfLargest(
  groups: ReadonlyMap<string, ReadonlySet<PoolMember>>,
  own: number,
): Found | undefined {
  let best: (Found & { readonly size: number; readonly sinceMs: number }) | undefined;
  for (const [holder, group] of groups) {
    const { size } = group;
    if (size <= own || size < (best?.size ?? 0)) continue;
    const longest = findLongestIdle(group);
    if (!longest) continue;
    if (!best || size > best.size || longest.sinceMs < best.sinceMs) {
      best = { holder, size, ...longest };
    }
  }
  return best;
}

function findLongestIdle(group: ReadonlySet<PoolMember>): Idle | undefined {
  let longest: Idle | undefined;
  for (const holding of group) {
    const sinceMs = holding.findIdleSinceMs();
    if (sinceMs !== undefined && sinceMs < (longest?.sinceMs ?? Infinity)) {
      longest = { holding, sinceMs };
    }
  }
  return longest;
}
