import type { Broker } from './platform/broker.ts';
import type { GrpcServer } from './platform/grpc/server.ts';
import type { Revocations } from './platform/revocations.ts';

export type Readiness = {
  isReady(): boolean;
  /** Ready from now on, while revocations are heard: the start is over. */
  begin(): void;
  /** Why it is not, unless it has not begun or the drain has. */
  findTrouble(): string | undefined;
  /** Looks now, and not only at the next of its turns. */
  look(): void;
  /** Not ready from now on, at once: the drain has begun. */
  end(): void;
};

const watchEveryMs = 500;

/**
 * Ready means that calls are served: without the feed of revocations nobody is let in. A broker that is
 * away does not change that, since events wait in the outbox; it has an entry of its own in the health
 * service, `rabbitmq`.
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
  let isTold: boolean | undefined;
  const isReady = (): boolean => isServing && revocations.isFresh();
  const tell = (): void => {
    const state = isReady();
    if (state !== isTold) server.setReady(state);
    isTold = state;
  };
  const look = (): void => {
    tell();
    server.setPartHealth('rabbitmq', broker.findTrouble() === undefined);
  };
  look();
  const timer = setInterval(look, watchEveryMs);
  return {
    isReady,
    begin: () => {
      isServing = true;
      tell();
    },
    findTrouble: () =>
      !isServing || revocations.isFresh()
        ? undefined
        : 'the feed of revocations has not been heard for 5 s: nobody is let in',
    look,
    end: () => {
      isServing = false;
      clearInterval(timer);
      tell();
    },
  };
}
