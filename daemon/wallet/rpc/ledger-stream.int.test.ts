import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { walletIdOf } from '../../../core/ids.ts';
import {
  StreamLedgerRequest,
  StreamLedgerResponse,
  type Transaction,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { createOptimisticCommit } from '../commit/optimistic-commit.ts';
import { streamLedger } from './ledger-stream.ts';
import { toCommand } from '../requests/request.ts';

let database: TestDatabase;
const users = Array.from({ length: 5 }, () => randomUUID());
/** Of each wallet: one more than fits into a read, and texts that fill a message. */
const counts = [1_001, 3, 400, 1, 2];
const ids = () => users.map((userId) => walletIdOf(userId, 'BRL')).sort();

beforeAll(async () => {
  database = await createTestDatabase('wallet');
  for (const [i, userId] of users.entries()) {
    const commands = Array.from({ length: counts[i]! }, (_, n) => {
      const command = toCommand({
        ...{ userId, currency: 'BRL', operation: 'deposit', amountMinor: BigInt(n + 1) },
        ...{ parentId: undefined, merchant: undefined, metadata: {}, callerClass: 'staff' },
        ...{ description: i === 2 ? '日'.repeat(500) : undefined, actor: userId },
        idempotencyKey: String(n),
      });
      if (!command.ok) throw new Error(command.rejection.message);
      return command.value;
    });
    for (let start = 0; start < commands.length; start += 1_000) {
      await createOptimisticCommit(database.db)(commands.slice(start, start + 1_000));
    }
  }
});

afterAll(() => database.drop());

async function read(change: Partial<StreamLedgerRequest>): Promise<Transaction[]> {
  const streamed = streamLedger(database.db, StreamLedgerRequest.fromPartial(change));
  if (!streamed.ok) throw new Error(streamed.rejection.message);
  const all: Transaction[] = [];
  for await (const message of streamed.value) {
    expect(StreamLedgerResponse.encode(message).finish().length).toBeLessThan(1024 * 1024);
    all.push(...message.transactions);
  }
  return all;
}

describe('streamLedger', () => {
  it('streamLedger gives every transaction once, in order of wallet and seq', async () => {
    const all = await read({});
    expect(all).toHaveLength(counts.reduce((a, b) => a + b));
    const places = all.map(({ walletId, seq }) => `${walletId} ${String(seq).padStart(9, '0')}`);
    expect(places).toEqual([...new Set(places)].sort());
    expect([...new Set(all.map(({ walletId }) => walletId))]).toEqual(ids());
  });

  it('streamLedger goes on after any place', async () => {
    const all = await read({});
    for (const index of [0, 1, 999, 1_000, 1_001, all.length - 2, all.length - 1]) {
      const { walletId, seq } = all[index]!;
      const rest = await read({ afterWalletId: walletId, afterSeq: seq });
      expect(rest.map(({ id }) => id)).toEqual(all.slice(index + 1).map(({ id }) => id));
    }
  });

  it('streamLedger gives the transactions of one wallet only, from a place on', async () => {
    const all = await read({});
    for (const walletId of ids()) {
      const own = all.filter((transaction) => transaction.walletId === walletId);
      expect(await read({ walletId })).toEqual(own);
      const later = await read({ walletId, afterWalletId: walletId, afterSeq: 1n });
      expect(later).toEqual(own.slice(1));
    }
    expect(await read({ walletId: randomUUID() })).toEqual([]);
  });

  it('streamLedger refuses a malformed wallet id and a negative seq', () => {
    for (const change of [{ walletId: 'x' }, { afterWalletId: 'x' }, { afterSeq: -1n }]) {
      const request = StreamLedgerRequest.fromPartial(change);
      expect(streamLedger(database.db, request)).toMatchObject({
        ok: false,
        rejection: { reason: 'INVALID_ARGUMENT' },
      });
    }
  });
});
