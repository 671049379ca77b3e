import { describe, expect, it } from 'vitest';

import { messageOf } from '../../../tests/support/transport.ts';
import type { OutboundMessage } from '../broker.ts';
import { sendAll, type OnAnswer } from './send-all.ts';

const messages = Array.from({ length: 5_000 }, (_, i) => messageOf(`m${i}`));
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A broker that answers when it is told to. */
function createPeer() {
  const sent: OutboundMessage[] = [];
  const waiting: (() => void)[] = [];
  let most = 0;
  return {
    sent,
    most: () => most,
    send: (part: readonly OutboundMessage[], onAnswer: OnAnswer, isConfirmed = () => true) => {
      sent.push(...part);
      for (const message of part) waiting.push(() => onAnswer(message, isConfirmed()));
      most = Math.max(most, waiting.length);
    },
    answerAll: () => waiting.splice(0).forEach((answer) => answer()),
    waiting,
  };
}

describe('sending many messages', () => {
  it('sends each once, in order, never more than 2,000 of them unanswered', async () => {
    const peer = createPeer();
    const sending = sendAll(messages, peer.send);
    while (peer.sent.length < messages.length || peer.waiting.length > 0) {
      await turn();
      if (peer.waiting.length >= 1_750) peer.waiting.splice(0, 500).forEach((answer) => answer());
      else if (peer.sent.length === messages.length) peer.answerAll();
    }
    expect(await sending).toEqual([]);
    expect(peer.sent).toEqual(messages);
    expect(peer.most()).toBeGreaterThan(1_000);
    expect(peer.most()).toBeLessThanOrEqual(2_000);
  });

  it('resolves to what was not confirmed', async () => {
    const peer = createPeer();
    const refused = new Set([messages[3], messages[700]]);
    const sending = sendAll(messages.slice(0, 1_000), (part, onAnswer) =>
      peer.send(part, (message) => onAnswer(message, !refused.has(message))),
    );
    while (peer.sent.length < 1_000) await turn();
    peer.answerAll();
    expect(new Set(await sending)).toEqual(refused);
  });

  it('stops for good where sending fails, whatever is still answered', async () => {
    const peer = createPeer();
    let isBroken = false;
    const sending = sendAll(messages, (part, onAnswer) => {
      if (isBroken) throw new Error('the channel is closed');
      peer.send(part, onAnswer);
    });
    const failed = expect(sending).rejects.toThrow('the channel is closed');
    await turn();
    isBroken = true;
    await failed;
    const before = peer.sent.length;
    isBroken = false;
    peer.answerAll();
    await turn();
    await turn();
    expect(peer.sent.length).toBe(before);
  });

  it('has nothing to wait for where there is nothing to send', async () => {
    expect(await sendAll([], createPeer().send)).toEqual([]);
  });
});
