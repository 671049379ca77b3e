import type { ConfirmChannel, Options } from 'amqplib';

import { isUuid } from '../../../core/ids.ts';
import { eventsExchange, textOf, type OutboundMessage } from '../broker.ts';
import type { Log } from '../log.ts';
import type { Echoes } from './echoes.ts';
import { encodePublications, type Publication } from './frames.ts';
import { rawChannelOf, type RawChannel } from './raw-channel.ts';
import { sendAll, type OnAnswer } from './send-all.ts';
import { keepSession } from './session.ts';
import { assertExchanges } from './topology.ts';

export type Publisher = {
  publish(messages: readonly OutboundMessage[]): Promise<readonly OutboundMessage[]>;
  /** To a queue by its name; rejects unless the broker has confirmed it. */
  sendToQueue(queue: string, body: Buffer, options: Options.Publish): Promise<void>;
  findTrouble(): string | undefined;
  stop(): Promise<void>;
};

/** These have a queue of ours: if they reach none, that is a failure. */
const queuedKeys: ReadonlySet<string> = new Set(['transaction.created', 'statement.requested']);

/** Publishes persistent messages on a connection of its own, and waits for the confirms. */
export function createPublisher(url: string, log: Log, echoes?: Echoes): Publisher {
  const returned = new Set<string>();
  const session = keepSession({
    name: 'publisher',
    url,
    log,
    setup: async (channel) => {
      returned.clear();
      // An unroutable message is confirmed as well; the return comes before the confirm.
      channel.on('return', (message) => {
        const id: unknown = message.properties.messageId;
        if (typeof id === 'string') returned.add(id);
      });
      await assertExchanges(channel);
    },
  });

  const connected = (): ConfirmChannel => {
    const channel = session.channel();
    if (!channel)
      throw new Error(`RabbitMQ is out of reach: ${session.findTrouble() ?? 'closing'}`);
    return channel;
  };

  /** What tells of a message's fate, once its confirm has come. */
  const answer =
    (messageId: string, onAnswer: (isConfirmed: boolean) => void) =>
    (err: unknown): void => {
      const wasReturned = returned.size > 0 && returned.delete(messageId);
      onAnswer((err === null || err === undefined) && !wasReturned);
    };

  const send = (part: readonly OutboundMessage[], onAnswer: OnAnswer): void => {
    const channel = connected();
    const publications = part.map(toPublication);
    const onConfirms = publications.map(({ messageId }, i) =>
      answer(messageId, (isConfirmed) => {
        const message = part[i];
        if (message) onAnswer(message, isConfirmed);
      }),
    );
    const raw = rawChannelOf(channel);
    if (raw && publications.every((publication) => isPlain(publication, raw))) {
      // amqplib's own way takes twice as long for each message.
      const { frames, bodies } = encodePublications(raw.number, publications);
      part.forEach(({ event }, i) => {
        const [body, publication] = [bodies[i], publications[i]];
        if (event && body && publication) echoes?.note(publication.messageId, body, event);
      });
      raw.write(frames);
      onConfirms.forEach(raw.expectConfirm);
      return;
    }
    publications.forEach((publication, i) => {
      const { exchange, routingKey, text } = publication;
      const options = optionsOf(publication);
      channel.publish(exchange, routingKey, Buffer.from(text), options, onConfirms[i]);
    });
  };

  return {
    publish: (messages) => sendAll(messages, send),
    sendToQueue: async (queue, body, options) => {
      const messageId = String(options.messageId);
      const whole = { persistent: true, ...options, messageId, mandatory: true };
      const isConfirmed = await new Promise<boolean>((resolve) => {
        connected().publish('', queue, body, whole, answer(messageId, resolve));
      });
      if (!isConfirmed) {
        throw new Error(`RabbitMQ did not confirm a message to ${queue}`);
      }
    },
    findTrouble: session.findTrouble,
    stop: session.stop,
  };
}

const toPublication = (message: OutboundMessage): Publication => ({
  exchange: eventsExchange,
  routingKey: message.routingKey,
  type: message.body.pattern,
  isMandatory: queuedKeys.has(message.routingKey),
  messageId: message.messageId,
  text: textOf(message),
});

/** What can be written in frames of ours: the messages of our own making, save very long ones. */
const isPlain = ({ messageId, text }: Publication, { maxBodyBytes }: RawChannel): boolean =>
  isUuid(messageId) && text.length * 3 <= maxBodyBytes;

const optionsOf = ({ messageId, type, isMandatory }: Publication): Options.Publish => ({
  persistent: true,
  contentType: 'application/json',
  messageId,
  type,
  mandatory: isMandatory,
});
