import { uuidV5 } from '../../../core/ids.ts';
import type { OutboundMessage } from '../../platform/broker/broker.ts';
import type { StoredCheckpoint } from './store.ts';

/** `ledger_checkpoint`, as docs/events.md describes it: who keeps it can prove what the ledger was. */
export const toCheckpointMessage = (
  { origin, number, takenAtMs, size, root, text, signature, keyId }: StoredCheckpoint,
  transactions: bigint,
): OutboundMessage => ({
  messageId: uuidV5(origin, `checkpoint:${number}`),
  routingKey: 'ledger.checkpoint',
  body: {
    pattern: 'ledger_checkpoint',
    data: {
      number: Number(number),
      takenAt: new Date(takenAtMs).toISOString(),
      wallets: Number(size),
      transactions: Number(transactions),
      root: root.toString('hex'),
      keyId,
      text,
      signature,
    },
  },
});
