import { describe, expect, it } from 'vitest';

import { reasonCodes, refuse, succeed, type Reason, type Result } from '../../../core/reasons.ts';
import { findTransientRejection } from '../../platform/transient-rejection.ts';
import type { AuditedDecision } from '../requests/audited-command.ts';
import { toHandling } from './emitted-consumer.ts';
import { decision, refusalOf } from './test-support.ts';

const allReasons = Object.keys(reasonCodes) as Reason[];

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
    return toHandling(result).kind;
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
      expect(() => toHandling(refusalOf(reason))).toThrow(`because ${reason}`);
      expect(handlingOf(refusalOf(reason))).toBe('all wait');
    },
  );

  it.each(['WALLET_CLOCK_AHEAD', 'WALLET_CORRUPT'] as const)(
    'a refusal with %s is a dead letter for operators',
    (reason) => {
      const letter = { kind: 'dead', reason, field: 'data.userId' };
      expect(toHandling(refusalOf(reason))).toEqual(letter);
    },
  );

  it('content that the database refuses is a dead letter', () => {
    const result = refuse('INTERNAL', 'bad', { cause: 'content' });
    expect(toHandling(result)).toEqual({ kind: 'dead', reason: 'INTERNAL', field: 'body' });
  });

  it('an answer is done, and a missing one is a defect', () => {
    expect(handlingOf(succeed(decision))).toBe('done');
    expect(handlingOf(undefined)).toBe('defect');
  });
});
