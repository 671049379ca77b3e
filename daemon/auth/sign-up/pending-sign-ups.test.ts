import { describe, expect, it } from 'vitest';

import { admitSignUp, maxPendingSignUps, type WaitingSignUp } from './pending-sign-ups.ts';

const signUpsOf = (...networks: string[]): WaitingSignUp[] =>
  networks.map((network, index) => ({ id: `${network}${index}`, network }));
const full = (network: string): WaitingSignUp[] =>
  signUpsOf(...Array<string>(maxPendingSignUps).fill(network));

describe('pending sign-ups of an address', () => {
  it.each([
    ['an empty list', [], 'a', { isKept: true }],
    ['room left by the same network', full('a').slice(1), 'a', { isKept: true }],
    ['a full list of the same network', full('a'), 'a', { isKept: false }],
    ['a full list of another network', full('a'), 'b', { isKept: true, removedId: 'a7' }],
    [
      'the first of a network that has the most is not the one that goes',
      signUpsOf('b', 'a', 'a', 'a', 'a', 'a', 'a', 'a'),
      'c',
      { isKept: true, removedId: 'a7' },
    ],
    [
      'as many networks as there may be sign-ups',
      signUpsOf('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'),
      'x',
      { isKept: false },
    ],
    [
      'nothing is gained by a swap',
      signUpsOf('a', 'a', 'b', 'b', 'c', 'c', 'd', 'd'),
      'a',
      { isKept: false },
    ],
  ] as const)('admitSignUp decides on another sign-up: %s', (_name, pending, network, decision) => {
    expect(admitSignUp(pending, network)).toEqual(decision);
  });

  it('the first sign-up of a network is never removed, whatever comes from elsewhere', () => {
    let pending = signUpsOf('owner');
    for (let i = 0; i < 1_000; i += 1) {
      const network = `attacker ${i % 7}`;
      const { isKept, removedId } = admitSignUp(pending, network);
      pending = pending.filter(({ id }) => id !== removedId);
      if (isKept) pending.push({ id: `${network} ${i}`, network });
      expect(pending.length).toBeLessThanOrEqual(maxPendingSignUps);
    }
    expect(pending[0]?.network).toBe('owner');
  });
});
