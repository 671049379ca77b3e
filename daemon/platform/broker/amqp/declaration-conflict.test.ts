import { describe, expect, it } from 'vitest';

import { findHint, isConflict } from './declaration-conflict.ts';

const closed = (text: string): string =>
  `Channel closed by server: 406 (PRECONDITION-FAILED) with message "PRECONDITION_FAILED - ${text}"`;

describe('what RabbitMQ answers with PRECONDITION_FAILED', () => {
  it.each([
    [
      "inequivalent arg 'x-queue-type' for queue 'wallet_queue' in vhost '/': received the value 'quorum' of type 'longstr' but current is none",
      /delete it once it is empty/,
    ],
    [
      "inequivalent arg 'type' for exchange 'wallet.events' in vhost '/': received 'topic' but current is 'fanout'",
      /delete the exchange/,
    ],
  ])('is a conflict: %s', (text, hint) => {
    expect(isConflict(closed(text))).toBe(true);
    expect(findHint(closed(text))).toMatch(hint);
  });

  it('is a late acknowledgement, which asks for nothing to be deleted', () => {
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
  ])('is something else: %s', (text) => {
    expect(isConflict(closed(text))).toBe(false);
    expect(findHint(closed(text))).toBeUndefined();
  });
});
