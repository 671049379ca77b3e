import { describe, expect, it } from 'vitest';

import { findPlace, maxPlaces, type PendingPlace } from './places.ts';

const placesOf = (...networks: string[]): PendingPlace[] =>
  networks.map((network, index) => ({ id: `${network}${index}`, network }));
const full = (network: string): PendingPlace[] =>
  placesOf(...Array<string>(maxPlaces).fill(network));

describe('the sign-ups that wait for one address', () => {
  it.each([
    ['nobody', [], 'a', { isKept: true }],
    ['room left by the same network', full('a').slice(1), 'a', { isKept: true }],
    ['all places taken by the same network', full('a'), 'a', { isKept: false }],
    ['all places taken by another network', full('a'), 'b', { isKept: true, removedId: 'a7' }],
    [
      'the first of a network that has the most is not the one that goes',
      placesOf('b', 'a', 'a', 'a', 'a', 'a', 'a', 'a'),
      'c',
      { isKept: true, removedId: 'a7' },
    ],
    [
      'as many networks as there are places',
      placesOf('a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'),
      'x',
      { isKept: false },
    ],
    [
      'nothing is gained by a swap',
      placesOf('a', 'a', 'b', 'b', 'c', 'c', 'd', 'd'),
      'a',
      { isKept: false },
    ],
  ] as const)('%s', (_name, places, network, decision) => {
    expect(findPlace(places, network)).toEqual(decision);
  });

  it('never remove the first of a network, whatever comes from elsewhere', () => {
    let places = placesOf('owner');
    for (let i = 0; i < 1_000; i += 1) {
      const network = `attacker ${i % 7}`;
      const { isKept, removedId } = findPlace(places, network);
      places = places.filter(({ id }) => id !== removedId);
      if (isKept) places.push({ id: `${network} ${i}`, network });
      expect(places.length).toBeLessThanOrEqual(maxPlaces);
    }
    expect(places[0]?.network).toBe('owner');
  });
});
