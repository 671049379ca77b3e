import { randomUUID } from 'node:crypto';

import { walletIdOf } from '../../../core/ids.ts';
import { expectedGenesis, expectedHash } from './chain.ts';

/**
 * The body of a `transaction_created` about a deposit of 9.00 BRL that no ledger has. It has every
 * field, and the hash that these fields have: only the ledger can show that it is forged.
 */
export function forgeCreated(userId: string, seq: number): string {
  const walletId = walletIdOf(userId, 'BRL');
  const id = randomUUID();
  const occurredAt = new Date();
  const previousHash = expectedGenesis(walletId, userId, 'BRL');
  const fields = { id, contra_account: 'external:cash', actor: userId, description: null };
  const hash = expectedHash(previousHash, {
    ...{ ...fields, seq: String(seq), operation: 1, amount: '900', balance_after: '900' },
    ...{ parent_id: null, source: 1, metadata: null, at_ms: String(occurredAt.getTime()) },
  });
  const transaction = {
    ...{ id, seq, operation: 'deposit', amount: '9.00', direction: 'credit', balanceAfter: '9.00' },
    ...{ contraAccount: 'external:cash', source: 'grpc', actor: userId },
    ...{ occurredAt: occurredAt.toISOString(), previousHash, hash },
  };
  const data = { userId, walletId, currency: 'BRL', transaction };
  return JSON.stringify({ pattern: 'transaction_created', data });
}

/** The same with a hash that is not that of its fields. */
export function withWrongHash(body: string): string {
  return body.replace(/"hash":"[0-9a-f]{64}"/, `"hash":"${'0'.repeat(64)}"`);
}
