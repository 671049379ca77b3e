import { expect, it } from 'vitest';

import type { OutboundMessage } from '../broker.ts';
import { createListenerRounds, planOwn, type Answer, type Sending } from './round.ts';

const messageOf = (routingKey: string, n: number): OutboundMessage => ({
  messageId: `${routingKey} ${n}`,
  routingKey,
  body: { pattern: 'x', data: { n } },
});
const listOf = (routingKey: string, count: number): OutboundMessage[] =>
  Array.from({ length: count }, (_, n) => messageOf(routingKey, n));

/** What is published to listeners of a round, where `answer` is the answer to each. */
function publish(
  rounds: ReturnType<typeof createListenerRounds>,
  messages: readonly OutboundMessage[],
  answer: (sending: Sending) => Answer,
): string[] {
  const { now, listLater } = rounds.plan(messages);
  for (const sending of now) rounds.note(sending, answer(sending));
  return [...now, ...listLater()].map(({ make }) => make().options.messageId);
}

const created = listOf('transaction.created', 5);
/** As a wallet makes them: holds between movements of money. */
const mixed = [
  ...created.slice(0, 2),
  ...listOf('hold.placed', 2),
  ...created.slice(2, 4),
  ...listOf('hold.released', 1),
  ...created.slice(4),
];
const namesOf = (messages: readonly OutboundMessage[]) =>
  messages.map(({ messageId }) => messageId);

it('without a queue for a key only the first message of each round is published', () => {
  const rounds = createListenerRounds();
  const ready = messageOf('statement.ready', 0);
  const all = [...created, ready];
  for (let i = 0; i < 3; i += 1) {
    expect(publish(rounds, all, () => 'returned')).toEqual(namesOf([created[0]!, ready]));
  }
});

it.each(['confirmed', 'refused'] as const)(
  'where a queue has %s the first message, all are published, in order',
  (answer) => {
    const rounds = createListenerRounds();
    for (let i = 0; i < 3; i += 1) {
      expect(publish(rounds, created, () => answer)).toEqual(namesOf(created));
    }
  },
);

it('a listener that binds its queue gets every message from the next round on', () => {
  const rounds = createListenerRounds();
  publish(rounds, created, () => 'returned');
  expect(publish(rounds, created, () => 'confirmed')).toEqual(namesOf(created));
  expect(publish(rounds, created, () => 'returned')).toEqual(namesOf(created));
  expect(publish(rounds, created, () => 'returned')).toEqual(namesOf([created[0]!]));
});

it('messages for a queue of ours are all published, are needed, and are not for listeners', () => {
  const requested = listOf('statement.requested', 3);
  const sendings = planOwn([...requested, ...created, messageOf('statement.ready', 0)]);
  expect(sendings.every(({ isNeeded }) => isNeeded)).toBe(true);
  expect(sendings.flatMap(({ carries }) => carries)).toEqual([...created, ...requested]);
  expect(publish(createListenerRounds(), requested, () => 'returned')).toEqual([]);
});

it('movements and holds reach a listener of all keys in one order, from the first round on', () => {
  const rounds = createListenerRounds();
  for (let i = 0; i < 3; i += 1) {
    expect(publish(rounds, mixed, () => 'confirmed')).toEqual(namesOf(mixed));
  }
  // A key that nothing is known of yet does not overtake those that are known.
  const later = createListenerRounds();
  publish(later, created, () => 'confirmed');
  expect(publish(later, mixed, () => 'confirmed')).toEqual(namesOf(mixed));
});

it('of keys that no queue is bound for, only the first message is published from then on', () => {
  const rounds = createListenerRounds();
  const answer = ({ carries: [message] }: Sending): Answer =>
    message?.routingKey === 'transaction.created' ? 'confirmed' : 'returned';
  publish(rounds, mixed, answer);
  const firsts = mixed.filter(({ routingKey }, i) => {
    const isFirst = mixed.findIndex((other) => other.routingKey === routingKey) === i;
    return isFirst || routingKey === 'transaction.created';
  });
  expect(publish(rounds, mixed, answer)).toEqual(namesOf(firsts));
});

it('movements and holds are bundled together, in order, under the key that our queue is bound to', () => {
  const [only, ...others] = planOwn(mixed);
  expect(others).toEqual([]);
  expect(only?.carries).toEqual(mixed);
  const holdsOnly = planOwn(listOf('hold.placed', 2));
  const single = planOwn(listOf('hold.released', 1), { events: 1, bytes: 1_000 });
  for (const sending of [only, ...holdsOnly, ...single]) {
    expect(sending?.make()).toMatchObject({
      exchange: 'wallet.bundles',
      routingKey: 'transaction.created',
    });
  }
});
