import type { Socket } from 'node:net';

import { networkOf } from '../../../../core/networks.ts';

/** What a connection makes us hold. */
export type HeldBytes<State> = { readonly state: State; readonly heldBytes: number };

/**
 * Who has to go so that no more is held than may be: of the network that makes us hold most, first.
 */
export function findLargestHolders<State extends { readonly socket: Socket | undefined }>(
  weights: readonly HeldBytes<State>[],
  maxBytes: number,
): State[] {
  let bytes = weights.reduce((sum, { heldBytes }) => sum + heldBytes, 0);
  if (bytes <= maxBytes) return [];
  const sums = new Map<string, number>();
  const withNetwork = weights.map((weight) => {
    const network = networkOf(weight.state.socket?.remoteAddress ?? '');
    sums.set(network, (sums.get(network) ?? 0) + weight.heldBytes);
    return { ...weight, network };
  });
  const sumOf = (network: string): number => sums.get(network) ?? 0;
  withNetwork.sort((a, b) => sumOf(b.network) - sumOf(a.network) || b.heldBytes - a.heldBytes);
  const largest: State[] = [];
  for (const { state, heldBytes } of withNetwork) {
    if (bytes <= maxBytes) break;
    largest.push(state);
    bytes -= heldBytes;
  }
  return largest;
}
