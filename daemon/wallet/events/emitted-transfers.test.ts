import { describe, expect, it } from 'vitest';

import { numberedOperations } from '../../../core/operations.ts';
import { ana, bia, create, messageOf, unknown } from './test-support.ts';

describe('transfers by message', () => {
  it('a transfer to an unknown user, or to oneself, is a dead letter that names the field', async () => {
    const { committed, consumer } = create();
    const pay = (toUserId: string) => messageOf(ana, { operation: 'transfer', toUserId });
    const field = 'data.transaction.toUserId';
    expect(await consumer.handle([pay(unknown), pay(ana), pay(bia.toUpperCase())])).toEqual([
      { kind: 'dead', reason: 'USER_NOT_FOUND', field },
      { kind: 'dead', reason: 'TRANSFER_TO_SELF', field },
      { kind: 'done' },
    ]);
    expect(committed.map(({ more }) => more?.other?.userId)).toEqual([bia]);
  });

  it('a transfer is a dead letter unless messages may ask for it', async () => {
    const { committed, consumer } = create({ allowed: numberedOperations });
    const transfer = messageOf(ana, { operation: 'transfer', toUserId: bia });
    expect(await consumer.handle([transfer])).toEqual([
      { kind: 'dead', reason: 'OPERATION_NOT_ALLOWED', field: 'data.transaction.operation' },
    ]);
    expect(committed).toEqual([]);
  });

  it('account, reference and metadata of a message reach the command', async () => {
    const { committed, consumer } = create();
    const more = { via: 'itau', reference: 'NF-7', metadata: { order: '4711' } };
    const bad = [{ via: 'Bank A' }, { metadata: { 'dw.x': '' } }, { reference: 'x'.repeat(257) }];
    expect(
      await consumer.handle([messageOf(ana, more), ...bad.map((one) => messageOf(ana, one))]),
    ).toMatchObject([
      { kind: 'done' },
      { reason: 'INVALID_FIELD', field: 'data.transaction.via' },
      { reason: 'INVALID_FIELD', field: 'data.transaction.metadata' },
      { reason: 'INVALID_FIELD', field: 'data.transaction.metadata' },
    ]);
    expect(committed[0]).toMatchObject({
      more: { via: 'itau' },
      metadata: { order: '4711', reference: 'NF-7' },
    });
  });

  it('an undo of a transfer in the same batch has the other side of its own wallet', async () => {
    const { committed, handle } = create();
    const transfer = messageOf(ana, { operation: 'transfer', toUserId: bia });
    await handle(transfer);
    const [{ transactionId } = { transactionId: '' }] = committed.splice(0);
    const undos = [ana, bia].map((userId) =>
      messageOf(userId, { operation: 'reversal', amount: null, id: transactionId }),
    );
    expect(await handle(transfer, ...undos)).toEqual(['done', 'done', 'done']);
    expect(committed.map(({ wallet, more }) => [wallet.userId, more?.other?.userId])).toEqual([
      [ana, bia],
      [ana, bia],
      [bia, ana],
    ]);
  });
});
