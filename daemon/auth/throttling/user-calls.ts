import type { Result } from '../../../core/reasons.ts';
import { createFairSemaphore } from '../../platform/concurrency/fair-semaphore.ts';
import { runPausable } from '../../platform/concurrency/pausable.ts';
import type { CallContext, UntypedHandlers } from '../../platform/grpc/calls.ts';

type Handler = (request: never, context: CallContext) => Promise<Result<unknown>>;

/**
 * The database has ten connections for this service, and its pool is first come, first served.
 * Calls of users use eight of them at once, and users take turns: many calls of one wait behind
 * each other.
 */
const limits = { maxAtOnce: 8, maxWaiting: 2_000, maxWaitingOf: [1_024] };

export function shareByUser(handlers: UntypedHandlers): UntypedHandlers {
  const semaphore = createFairSemaphore(limits);
  const share =
    (handler: Handler): Handler =>
    (request, context) => {
      const { principal, pause } = context;
      if (principal.kind !== 'user' || pause) return handler(request, context);
      const fairCaller = { ...context, path: [principal.userId] };
      return runPausable([semaphore], fairCaller, (pause) =>
        handler(request, { ...context, pause }),
      );
    };
  const shared = Object.entries(handlers).map(([name, handler]) => [
    name,
    handler && share(handler),
  ]);
  return Object.fromEntries(shared) as UntypedHandlers;
}
