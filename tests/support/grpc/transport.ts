import type { Audience, Broker, OutboundMessage } from '../../../daemon/platform/broker/broker.ts';

export type Answer = (messages: readonly OutboundMessage[]) => Promise<readonly OutboundMessage[]>;

/**
 * A transport that notes what it is given for our own queues; `answer` says what is left
 * unconfirmed. No listener is there.
 */
export function createTransport(answer: Answer = () => Promise.resolve([])) {
  const sent: string[] = [];
  const calls: string[][] = [];
  const transport = {
    sent,
    calls,
    answer,
    publish: async (messages: readonly OutboundMessage[], audience: Audience) => {
      if (audience === 'listeners') return [];
      calls.push(messages.map((message) => message.messageId));
      const left = await transport.answer(messages);
      sent.push(...messages.filter((m) => !left.includes(m)).map((m) => m.messageId));
      return left;
    },
  };
  return transport satisfies Pick<Broker, 'publish'>;
}

export const messageOf = (messageId: string): OutboundMessage => ({
  messageId,
  routingKey: 'transaction.created',
  body: { pattern: 'transaction_created', data: { messageId } },
});
