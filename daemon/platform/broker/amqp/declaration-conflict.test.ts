import { describe, expect, it } from 'vitest';

import { findHint, isConflict } from './declaration-conflict.ts';

const closed = (text: string): string =>
  `Channel closed by server: 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - ${text}"`;

describe('PRECONDITION_FAILED answers of RabbitMQ', () => {
  it.each([
    [
      "inequivalent arg 'x-queue-type' for queue 'wallet_queue' in vhost '/': received the value 'quorum' of type 'longstr' but current is none",
      /delete it once empty/,
    ],
    [
      "inequivalent arg 'type' for exchange 'wallet.events' in vhost '/': received 'topic' but current is 'fanout'",
      /delete the exchange/,
    ],
  ])('PRECONDITION_FAILED for other properties is a conflict with a hint: %s', (text, hint) => {
    expect(isConflict(closed(text))).toBe(true);
    expect(findHint(closed(text))).toMatch(hint);
  });

  it('PRECONDITION_FAILED for a late ack is no conflict, and its hint deletes nothing', () => {
    const text = closed(
      'delivery acknowledgement on channel 1 timed out. Timeout value used: 1800000 ms. ' +
        'This timeout value can be configured, see consumers doc guide to learn more',
    );
    expect(isConflict(text)).toBe(false);
    expect(findHint(text)).toMatch(/consumer_timeout/);
    expect(findHint(text)).not.toMatch(/delete/);
  });

  it.each([
    "invalid arg 'x-delivery-limit' for queue 'wallet_queue' in vhost '/'",
    'unknown delivery tag 7',
    'fast reply consumer does not exist',
  ])('PRECONDITION_FAILED for another reason is no conflict, and has no hint: %s', (text) => {
    expect(isConflict(closed(text))).toBe(false);
    expect(findHint(closed(text))).toBeUndefined();
  });
});
