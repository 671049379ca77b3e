import { refuse, succeed, type Result } from '../../core/reasons.ts';
import type { Principal } from '../platform/access.ts';

const maxStreams = 256;
const maxStreamsOfOne = 32;

/** Streams hold memory for as long as they are open: a bound for all, and one for each user. */
export function createStreamSlots() {
  const open = new Map<string, number>();
  let count = 0;
  return {
    /** OVERLOADED where there are too many already. */
    take: (principal: Principal): Result<{ release(): void }> => {
      const who = principal.kind === 'user' ? principal.userId : principal.kind;
      const own = open.get(who) ?? 0;
      if (count >= maxStreams || own >= maxStreamsOfOne) {
        const limit = String(own >= maxStreamsOfOne ? maxStreamsOfOne : maxStreams);
        return refuse(
          'OVERLOADED',
          `${limit} streams are open already: end one, or try again shortly`,
          { limit },
        );
      }
      open.set(who, own + 1);
      count += 1;
      return succeed({
        release: () => {
          count -= 1;
          const left = (open.get(who) ?? 1) - 1;
          if (left > 0) open.set(who, left);
          else open.delete(who);
        },
      });
    },
  };
}
