import { describe, expect, it } from 'vitest';

import type { Attempt, CallerClass } from '../../record/history.ts';
import { listOperations } from './operations.ts';
import { findOrder } from './search.ts';

/** A withdrawal that is refused, sent twice; a deposit in between would have allowed it. */
function listAttempts(callerClass: CallerClass): readonly Attempt[] {
  const over = callerClass === 'message' ? 'message' : 'grpc';
  const place = { client: 'calls', over, daemon: undefined } as const;
  const attempt = (
    id: string,
    operation: 'deposit' | 'withdraw',
    [startMs, endMs]: readonly [number, number],
  ): Attempt => ({
    ...place,
    command: {
      ...{ walletId: 'w', transactionId: id, key: id, callerClass, operation, amountMinor: 10n },
      ...{ parentId: undefined, merchant: undefined },
    },
    outcome:
      operation === 'withdraw'
        ? { kind: 'refused', reason: 'INSUFFICIENT_FUNDS' }
        : { kind: 'accepted', transactionId: id },
    ...{ startMs, endMs },
  });
  return [
    attempt('refused', 'withdraw', [0, 9]),
    attempt('deposit', 'deposit', [1, 2]),
    attempt('refused', 'withdraw', [5, 9]),
  ];
}

describe('a refusal that is given twice', () => {
  it.each([
    ['message', 'of a message was decided once', true],
    ['staff', 'of a call was decided each time', false],
  ] as const)('%s: %s', (callerClass, _what, isExplained) => {
    const history = { attempts: listAttempts(callerClass), balances: [], heard: [] };
    const operations = listOperations(history, undefined).get('w') ?? [];
    expect(findOrder(operations).isLinearizable).toBe(isExplained);
  });
});
