import type { Broker } from './platform/broker.ts';
import type { GrpcServer } from './platform/grpc/server.ts';
import type { Revocations } from './platform/revocations.ts';

export type Readiness = {
  isReady(): boolean;
  /** The start is over: ready while the feed of revocations is fresh. */
  begin(): void;
  /** Why it is not ready; undefined before the start is over and during the drain. */
  findTrouble(): string | undefined;
  /** Looks now, and not only at the next interval. */
  look(): void;
  /** Not ready from now on, at once: the drain has begun. */
  end(): void;
};

const watchEveryMs = 500;

/**
 * Ready means that calls are served. Without the feed of revocations every call is refused. An
 * unavailable broker does not change readiness, since events wait in the outbox; it has an entry of
 * its own in the health service, `rabbitmq`.
 */
export function watchReadiness({
  server,
  broker,
  revocations,
}: {
  readonly server: Pick<GrpcServer, 'setReady' | 'setPartHealth'>;
  readonly broker: Pick<Broker, 'findTrouble'>;
  readonly revocations: Pick<Revocations, 'isFresh'>;
}): Readiness {
  let isServing = false;
  let reported = false;
  const isReady = (): boolean => isServing && revocations.isFresh();
  const report = (): void => {
    const state = isReady();
    if (state === reported) return;
    reported = state;
    server.setReady(state);
  };
  const look = (): void => {
    report();
    server.setPartHealth('rabbitmq', broker.findTrouble() === undefined);
  };
  look();
  const timer = setInterval(look, watchEveryMs);
  return {
    isReady,
    begin: () => {
      isServing = true;
      report();
    },
    findTrouble: () =>
      !isServing || revocations.isFresh()
        ? undefined
        : 'no message of the feed of revocations for 5 s: every call is refused',
    look,
    end: () => {
      isServing = false;
      clearInterval(timer);
      report();
    },
  };
}
