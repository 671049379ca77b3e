import { refuse } from '../../../../core/reasons.ts';
import type { OpenStream } from './stream-slots.ts';

/** Which streams are open on which connection. */
export type StreamRegistry = {
  /** Gives what takes the stream off again. `peer`: address and port of the connection. */
  add(peer: string, stream: OpenStream): () => void;
  /** Ends the streams of a connection; what is in flight on them is answered first. */
  endAll(peer: string): void;
  size(): number;
};

export function createStreamRegistry(): StreamRegistry {
  const byPeer = new Map<string, Set<OpenStream>>();
  return {
    add: (peer, stream) => {
      const streams = byPeer.get(peer) ?? new Set();
      byPeer.set(peer, streams.add(stream));
      return () => {
        streams.delete(stream);
        if (streams.size === 0 && byPeer.get(peer) === streams) byPeer.delete(peer);
      };
    },
    endAll: (peer) => byPeer.get(peer)?.forEach((stream) => stream.end(renewed)),
    size: () => byPeer.size,
  };
}

const { rejection: renewed } = refuse(
  'OVERLOADED',
  'the certificate of the server was renewed: open another stream to go on',
);
