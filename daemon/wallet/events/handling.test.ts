import { randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { reasonCodes, refuse, succeed, type Reason, type Result } from '../../../core/reasons.ts';
import { brlWalletOf } from '../../../tests/support/ledger/build-command.ts';
import { findTransientRejection } from '../../platform/transient-rejection.ts';
import type { Entry } from '../domain.ts';
import type { AuditedDecision } from '../requests/audited-command.ts';
import { toHandling } from './emitted-consumer.ts';

const [ana, bia] = [randomUUID(), randomUUID()];
const ofAna = { wallet: brlWalletOf(ana), operation: 'transfer' } as const;
const decision: AuditedDecision = { entry: { seq: 1n } as Entry, isReplayed: false };
const allReasons = Object.keys(reasonCodes) as Reason[];
const refusalOf = (reason: Reason): Result<never> => refuse(reason, `because ${reason}`);

/** Reasons of refusals that keep a message, or all of them, waiting. */
const waits: readonly Reason[] = [
  ...(['OVERLOADED', 'OUTBOX_FULL', 'THROTTLED', 'STREAM_IDLE', 'UNIMPLEMENTED'] as const),
  ...(['DATABASE_UNAVAILABLE', 'DATABASE_BUSY', 'AUTH_UNAVAILABLE', 'SHUTTING_DOWN'] as const),
  ...(['WALLET_UNAVAILABLE', 'STATEMENT_UNAVAILABLE', 'WALLET_BUSY', 'INTERNAL'] as const),
  ...(['OUTCOME_UNKNOWN', 'DEADLINE_EXCEEDED', 'CANCELLED'] as const),
  ...allReasons.filter((reason) => reasonCodes[reason] === 'UNAUTHENTICATED'),
];

/** What a result makes of its message; `all wait` where it holds the others, too. */
function handlingOf(result: Result<AuditedDecision> | undefined): string {
  try {
    return toHandling(result, ofAna).kind;
  } catch (err) {
    return findTransientRejection(err) ? 'all wait' : 'defect';
  }
}

describe('what becomes of a message', () => {
  it.each(allReasons)(
    'a message that is refused with %s is acknowledged only if final',
    (reason) => {
      const handling = handlingOf(refusalOf(reason));
      if (waits.includes(reason)) expect(['held', 'all wait']).toContain(handling);
      else expect(['done', 'dead']).toContain(handling);
    },
  );

  it('a refusal of one wallet holds its message, and others go on', () => {
    expect(handlingOf(refusalOf('WALLET_BUSY'))).toBe('held');
    expect(handlingOf(refusalOf('INTERNAL'))).toBe('held');
  });

  it.each(['OUTCOME_UNKNOWN', 'DATABASE_UNAVAILABLE', 'DATABASE_BUSY', 'OUTBOX_FULL'] as const)(
    'a refusal with %s holds all messages, with that reason',
    (reason) => {
      expect(() => toHandling(refusalOf(reason), ofAna)).toThrow(`because ${reason}`);
      expect(handlingOf(refusalOf(reason))).toBe('all wait');
    },
  );

  it.each(['WALLET_CLOCK_AHEAD', 'WALLET_CORRUPT'] as const)(
    'a refusal with %s is a dead letter for operators',
    (reason) => {
      const letter = { kind: 'dead', reason, field: 'data.userId' };
      expect(toHandling(refusalOf(reason), ofAna)).toEqual(letter);
    },
  );

  it('a dead letter about the wallet at the other side names the field that leads to it', () => {
    const result = refuse('WALLET_CORRUPT', 'corrupt', { walletId: brlWalletOf(bia).id });
    expect(toHandling(result, ofAna)).toMatchObject({ field: 'data.transaction.toUserId' });
    const undo = { ...ofAna, operation: 'reversal' } as const;
    expect(toHandling(result, undo)).toMatchObject({ field: 'data.transaction.id' });
  });

  it('content that the database refuses is a dead letter', () => {
    const result = refuse('INTERNAL', 'bad', { cause: 'content' });
    expect(toHandling(result, ofAna)).toEqual({ kind: 'dead', reason: 'INTERNAL', field: 'body' });
  });

  it('an answer is done, and a missing one is a defect', () => {
    expect(handlingOf(succeed(decision))).toBe('done');
    expect(handlingOf(undefined)).toBe('defect');
  });
});
