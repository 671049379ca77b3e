import type { OutboundMessage } from '../broker.ts';

/** Publishes waiting for their confirms at once: enough to fill a round trip. */
const maxInFlight = 2_000;
/** Published before others get a turn. */
const maxPerTurn = 250;

export type OnAnswer = (message: OutboundMessage, isConfirmed: boolean) => void;

/**
 * Sends all, as many at once as may be in flight and the next ones as answers come. Resolves to
 * what was not confirmed; rejects if sending fails.
 */
export function sendAll(
  messages: readonly OutboundMessage[],
  send: (part: readonly OutboundMessage[], onAnswer: OnAnswer) => void,
): Promise<readonly OutboundMessage[]> {
  return new Promise((resolve, reject) => {
    const unconfirmed: OutboundMessage[] = [];
    let sent = 0;
    let answered = 0;
    let isDue = false;
    const onAnswer: OnAnswer = (message, isConfirmed) => {
      answered += 1;
      if (!isConfirmed) unconfirmed.push(message);
      if (answered === messages.length) resolve(unconfirmed);
      else sendSoon();
    };
    const sendSome = (): void => {
      isDue = false;
      const part = messages.slice(sent, sent + maxPerTurn);
      sent += part.length;
      try {
        send(part, onAnswer);
        sendSoon();
      } catch (err) {
        // Nothing more of these: they come again, in order.
        sent = messages.length;
        reject(err instanceof Error ? err : new Error('not published', { cause: err }));
      }
    };
    const sendSoon = (): void => {
      if (isDue || sent === messages.length || sent - answered > maxInFlight - maxPerTurn) return;
      isDue = true;
      setImmediate(sendSome);
    };
    if (messages.length === 0) resolve(unconfirmed);
    sendSoon();
  });
}
