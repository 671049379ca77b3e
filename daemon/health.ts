import type { Broker } from './platform/broker.ts';
import type { GrpcServer } from './platform/grpc/server.ts';

export type Readiness = {
  isReady(): boolean;
  /** Ready from now on: the start is over. */
  begin(): void;
  /** Not ready from now on, at once: the drain has begun. */
  end(): void;
};

const watchEveryMs = 500;

/**
 * Ready means that calls are served. A broker that is away does not change that, since events wait
 * in the outbox; it has an entry of its own in the health service, `rabbitmq`.
 */
export function watchReadiness({
  server,
  broker,
}: {
  readonly server: GrpcServer;
  readonly broker: Broker;
}): Readiness {
  let isReady = false;
  const setReady = (state: boolean): void => {
    if (state === isReady) return;
    isReady = state;
    server.setReady(state);
  };
  const look = (): void => server.setPartHealth('rabbitmq', broker.findTrouble() === undefined);
  look();
  const timer = setInterval(look, watchEveryMs);
  return {
    isReady: () => isReady,
    begin: () => setReady(true),
    end: () => {
      clearInterval(timer);
      setReady(false);
    },
  };
}
