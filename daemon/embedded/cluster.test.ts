import { describe, expect, it } from 'vitest';

import { sharedBuffersMebibytes } from './cluster.ts';

describe('memory of the embedded Postgres', () => {
  const gibibyte = 1024 ** 3;

  it.each([
    [gibibyte / 4, 128],
    [gibibyte, 128],
    [2 * gibibyte, 256],
    [24 * gibibyte, 3072],
    [32 * gibibyte, 4096],
    [1024 * gibibyte, 4096],
  ])('shared_buffers for %d bytes of memory is %d MiB', (memoryBytes, mebibytes) => {
    expect(sharedBuffersMebibytes(memoryBytes)).toBe(mebibytes);
  });
});
