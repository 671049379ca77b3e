import { uuidV5 } from '../../core/ids.ts';
import { formatMinor } from '../../core/money.ts';
import type { OutboundMessage } from '../platform/broker.ts';
import type { Entry } from './domain.ts';

/**
 * `transaction_created`, as docs/events.md describes it. The message's id follows from the
 * transaction and its wallet, so that a listener can recognise a redelivery.
 */
export function toCreatedMessage(entry: Entry): OutboundMessage {
  const { wallet } = entry;
  return {
    messageId: uuidV5(wallet.id, `created:${entry.id}`),
    routingKey: 'transaction.created',
    body: {
      pattern: 'transaction_created',
      data: {
        userId: wallet.userId,
        walletId: wallet.id,
        currency: wallet.currency,
        transaction: {
          id: entry.id,
          seq: Number(entry.seq),
          operation: entry.operation,
          amount: formatMinor(
            entry.amountMinor < 0n ? -entry.amountMinor : entry.amountMinor,
            wallet.exponent,
          ),
          direction: entry.amountMinor < 0n ? 'debit' : 'credit',
          balanceAfter: formatMinor(entry.balanceAfterMinor, wallet.exponent),
          contraAccount: entry.contraAccount,
          parentId: entry.parentId,
          description: entry.description,
          occurredAt: new Date(entry.occurredAtMs).toISOString(),
          hash: entry.hash.toString('hex'),
        },
      },
    },
  };
}
