import fc from 'fast-check';
import { expect, it } from 'vitest';

import { createSseParser, type ServerEvent } from './sse.ts';

const parse = (pieces: readonly string[]): ServerEvent[] => {
  const parser = createSseParser();
  return pieces.flatMap((piece) => parser.push(piece));
};

const stream =
  ': \nid: a\n\n' +
  'event: line\ndata: {"seq":1}\n\n' +
  'event: line\r\nid: b\r\ndata: {"seq":2}\r\ndata:more\r\n\r\n' +
  'retry: 5\n\n' +
  'data: cut';

const events: readonly ServerEvent[] = [
  { event: 'message', data: '', lastId: 'a', hasId: true },
  { event: 'line', data: '{"seq":1}', lastId: 'a', hasId: false },
  { event: 'line', data: '{"seq":2}\nmore', lastId: 'b', hasId: true },
];

it('events are read with their ids, and an event that is cut is none', () => {
  expect(parse([stream])).toEqual(events);
});

it('events do not depend on how the stream is cut into pieces', () => {
  const cuts = fc.array(fc.nat(stream.length), { maxLength: 20 });
  fc.assert(
    fc.property(cuts, (found) => {
      const ends = [...found, stream.length].sort((a, b) => a - b);
      const pieces = ends.map((end, i) => stream.slice(ends[i - 1] ?? 0, end));
      expect(parse(pieces)).toEqual(events);
    }),
    { seed: 1 },
  );
});

it('an event without an end is refused before it fills the memory', () => {
  const parser = createSseParser();
  const piece = `data: ${'x'.repeat(1024 * 1024)}`;
  expect(() => [1, 2, 3, 4, 5].forEach(() => parser.push(piece))).toThrow('too long');
});
