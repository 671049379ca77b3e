import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import type { InboundMessage, OutboundMessage } from '../broker.ts';
import { bundleLimits, readBundle, singleLimits, toBundles } from './bundles.ts';

const messageOf = (data: object): OutboundMessage => ({
  messageId: 'an id',
  routingKey: 'transaction.created',
  body: { pattern: 'transaction_created', data },
});

const inboundOf = (body: unknown): InboundMessage => ({
  ...{ messageId: 'an id', userId: 'the broker', headers: {} },
  ...{ body, text: JSON.stringify(body) },
});

const events = fc.array(
  fc.record({ text: fc.string({ unit: 'binary' }), seq: fc.nat() }).map(messageOf),
  { maxLength: 40 },
);

describe('toBundles', () => {
  it('bundles hold every event once, in order, within the limits', () => {
    fc.assert(
      fc.property(events, fc.integer({ min: 1, max: 9 }), fc.nat(500), (messages, most, bytes) => {
        const bundles = toBundles(messages, { events: most, bytes });
        expect(bundles.flatMap((bundle) => bundle.messages)).toEqual(messages);
        for (const { messages: members, text, pattern } of bundles) {
          expect(members.length).toBeLessThanOrEqual(most);
          const body = JSON.parse(text) as OutboundMessage['body'];
          expect(body.pattern).toBe(pattern);
          const read = readBundle(inboundOf(body));
          if (members.length === 1) expect([body, read]).toEqual([members[0]?.body, undefined]);
          else {
            expect(Buffer.byteLength(text)).toBeLessThanOrEqual(bytes + 100 + members.length);
            expect(read).toMatchObject(members.map((member) => ({ body: member.body })));
          }
        }
      }),
    );
  });

  it('a full bundle is smaller than what a consumer reads of one message', () => {
    const text = 'x'.repeat(1_000);
    const messages = Array.from({ length: 1_000 }, () => messageOf({ text }));
    const sizes = toBundles(messages).map((bundle) => Buffer.byteLength(bundle.text));
    expect(Math.max(...sizes)).toBeLessThan(bundleLimits.bytes + 1_000);
    expect(bundleLimits.bytes + 1_000).toBeLessThan(256 * 1024);
  });

  it('with bundling off events are single messages, which every version understands', () => {
    const messages = [messageOf({ seq: 1 }), messageOf({ seq: 2 })];
    const bundles = toBundles(messages, singleLimits);
    expect(bundles.map(({ text }) => JSON.parse(text) as unknown)).toEqual(
      messages.map(({ body }) => body),
    );
  });
});

describe('readBundle', () => {
  const bundle = (data: unknown) => inboundOf({ pattern: 'transactions_created', data });

  it.each([
    ['no data', undefined, 'data'],
    ['data that is a text', 'events', 'data'],
    ['no events', {}, 'data.events'],
    ['an empty list', { events: [] }, 'data.events'],
    ['events that are no list', { events: { length: 1 } }, 'data.events'],
    ['more events than a bundle has', { events: Array(251).fill(1) }, 'data.events'],
  ])('a bundle with %s is one dead letter', (_what, data, field) => {
    expect(readBundle(bundle(data))).toEqual({ kind: 'dead', reason: 'INVALID_ARGUMENT', field });
  });

  it('an event has the same id in every bundle, and another than other events', () => {
    const idsOf = (data: unknown): unknown[] => {
      const read = readBundle(bundle(data));
      return Array.isArray(read) ? read.map((part: InboundMessage) => part.messageId) : [];
    };
    const [one, two] = [{ pattern: 'a' }, { pattern: 'b' }];
    const [first, second] = idsOf({ events: [one, two] });
    expect(first).not.toBe(second);
    expect(idsOf({ events: [two, one] })).toEqual([second, first]);
  });
});
