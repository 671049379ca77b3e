import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import type { OutboundMessage } from '../broker/broker.ts';
import { createRecent } from './recent.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => vi.useRealTimers());

const messagesOf = (name: string, count: number): readonly OutboundMessage[] =>
  Array.from({ length: count }, (_, i) => ({
    ...{ messageId: `${name} ${i}`, routingKey: 'k', body: { pattern: 'k', data: {} } },
  }));

/** At most ten messages, and what of each batch is found. */
function create() {
  const recent = createRecent(10);
  const made: string[] = [];
  const keep = (batch: string, count: number): void =>
    recent.keep(batch, count, () => {
      made.push(batch);
      return messagesOf(batch, count);
    });
  const found = (...batches: readonly string[]) =>
    batches.map((batch) => recent.find(batch)?.length);
  return { ...recent, keep, made, found };
}

describe('messages of the newest commits', () => {
  it('a batch is found as often as it is asked for, and made only then', () => {
    const { keep, made, find, found } = create();
    keep('a', 2);
    expect(made).toEqual([]);
    expect(find('a')).toEqual(messagesOf('a', 2));
    expect(found('a', 'b')).toEqual([2, undefined]);
    expect(made).toEqual(['a', 'a']);
  });

  it('what does not fit is not kept, and puts out nothing that came before', () => {
    const { keep, found } = create();
    keep('a', 4);
    keep('b', 6);
    keep('c', 1);
    keep('d', 0);
    expect(found('a', 'b', 'c', 'd')).toEqual([4, 6, undefined, 0]);
  });

  it('a batch that is forgotten makes room, once', () => {
    const { keep, forget, found } = create();
    keep('a', 10);
    forget('unknown');
    keep('b', 1);
    expect(found('b')).toEqual([undefined]);
    forget('a');
    forget('a');
    keep('b', 10);
    keep('c', 1);
    expect(found('a', 'b', 'c')).toEqual([undefined, 10, undefined]);
  });

  it('batches of 30 s make room for a new one, and younger ones stay', () => {
    const { keep, found } = create();
    keep('old', 4);
    vi.advanceTimersByTime(10_000);
    keep('young', 4);
    vi.advanceTimersByTime(19_999);
    keep('early', 4);
    expect(found('old', 'young', 'early')).toEqual([4, 4, undefined]);
    vi.advanceTimersByTime(1);
    keep('new', 4);
    expect(found('old', 'young', 'new')).toEqual([undefined, 4, 4]);
  });
});
