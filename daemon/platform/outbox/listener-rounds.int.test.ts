import { afterEach, beforeEach, expect, it } from 'vitest';

import { messageOf } from '../../../tests/support/grpc/transport.ts';
import type { Audience, OutboundMessage } from '../broker/broker.ts';
import { createRelayWorld, until, type RelayWorld } from './test-support.ts';

let world: RelayWorld;
beforeEach(async () => {
  world = await createRelayWorld();
});
afterEach(() => world.dispose());

type Answer = (messages: readonly OutboundMessage[]) => Promise<readonly OutboundMessage[]>;
const confirm: Answer = () => Promise.resolve([]);
const confirmNothing: Answer = () => new Promise(() => undefined);
const refuse: Answer = (messages) => Promise.resolve(messages);

/** A broker with our own queues and listeners, which get what they confirm. */
function createAudiences(listeners: Answer) {
  const got: Record<Audience, string[]> = { own: [], listeners: [] };
  const audiences = {
    got,
    listeners,
    publish: async (messages: readonly OutboundMessage[], audience: Audience) => {
      const answer = audience === 'own' ? confirm : audiences.listeners;
      const left = await answer(messages);
      const taken = messages.filter((message) => !left.includes(message));
      got[audience].push(...taken.map(({ messageId }) => messageId));
      return left;
    },
  };
  return audiences;
}

const names = (count: number, from = 0): string[] =>
  Array.from({ length: count }, (_, i) => `m${from + i}`);
async function appendAll(ids: readonly string[]): Promise<void> {
  for (const id of ids) await world.append(id);
}
const distinct = (ids: readonly string[]): string[] => [...new Set(ids)];
const countLeft = async () =>
  (await world.database.query('SELECT 1 FROM outbox WHERE own_sent')).length;

it('listeners that confirm get each message once, in order, with our own queues', async () => {
  const audiences = createAudiences(confirm);
  world.startRelay(audiences);
  await appendAll(names(50));
  await world.untilEmpty();
  expect(audiences.got).toEqual({ own: names(50), listeners: names(50) });
});

it.each([
  ['confirm nothing', confirmNothing],
  ['refuse everything', refuse],
  ['cannot be published to', () => Promise.reject(new Error('no connection'))],
])('our own queues get later messages while listeners %s', async (_what, answer) => {
  const audiences = createAudiences(answer);
  world.startRelay(audiences);
  for (let from = 0; from < 60; from += 20) {
    await appendAll(names(20, from));
    await until(() => expect(audiences.got.own).toEqual(names(from + 20)));
  }
  await until(async () => expect(await countLeft()).toBe(60));
  expect(audiences.got.listeners).toEqual([]);
});

it('listeners that fell behind get all messages in order, and then each at once again', async () => {
  const audiences = createAudiences(refuse);
  world.startRelay(audiences);
  await appendAll(names(40));
  await until(async () => expect(await countLeft()).toBe(40));
  audiences.listeners = confirm;
  await appendAll(names(20, 40));
  await world.untilEmpty();
  expect(distinct(audiences.got.listeners)).toEqual(names(60));
  expect(audiences.got.own).toEqual(names(60));
  await appendAll(names(5, 60));
  await world.untilEmpty();
  expect(audiences.got.listeners.slice(-5)).toEqual(names(5, 60));
  expect(audiences.got.own).toEqual(names(65));
});

it('a late confirmation counts: its messages are not sent to listeners again', async () => {
  let release: (left: readonly OutboundMessage[]) => void = () => undefined;
  const audiences = createAudiences(() => new Promise((resolve) => (release = resolve)));
  await appendAll(names(10));
  world.startRelay(audiences);
  await until(async () => expect(await countLeft()).toBe(10));
  audiences.listeners = confirm;
  await appendAll(names(10, 10));
  await until(async () => expect(await countLeft()).toBe(20));
  release([]);
  await world.untilEmpty();
  expect(audiences.got.listeners).toEqual(names(20));
});

it('the next relay sends listeners what the last one left to them', async () => {
  const first = world.startRelay(createAudiences(refuse));
  await appendAll(names(10));
  await until(async () => expect(await countLeft()).toBe(10));
  await first.stop();
  const audiences = createAudiences(confirm);
  world.startRelay(audiences);
  await appendAll(names(10, 10));
  await world.untilEmpty();
  expect(audiences.got).toEqual({ own: names(10, 10), listeners: names(20) });
});

it('a stop ends though listeners confirm nothing, and keeps their messages', async () => {
  const audiences = createAudiences(confirmNothing);
  const relay = world.startRelay(audiences);
  await world.append('a');
  await until(() => expect(audiences.got.own).toEqual(['a']));
  await relay.stop();
  expect(await world.readOutbox()).toEqual([[messageOf('a').messageId]]);
});
