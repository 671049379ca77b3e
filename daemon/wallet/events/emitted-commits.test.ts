import { describe, expect, it } from 'vitest';

import { succeed, type Result } from '../../../core/reasons.ts';
import type { AuditedCommand, AuditedDecision } from '../requests/audited-command.ts';
import { createEmittedConsumer } from './emitted-consumer.ts';
import { ana, bia, create, decision, messageOf, refusalOf, transientOf } from './test-support.ts';

describe('what is handed to the group commit', () => {
  type Waiting = Parameters<ReturnType<typeof create>['emitted']['groupCommit']['submitMany']>[1];

  /** The consumer before a commit that only answers, and what it was handed. */
  function createRecorder(results: readonly Result<AuditedDecision>[]) {
    const handed: { readonly atMs: number; readonly waiting: Waiting }[] = [];
    const { emitted } = create();
    const submitMany = (_commands: readonly AuditedCommand[], waiting: Waiting) => {
      handed.push({ atMs: performance.now(), waiting });
      return Promise.resolve({ completed: Promise.resolve(results) });
    };
    const groupCommit = { ...emitted.groupCommit, submitMany } as typeof emitted.groupCommit;
    return { handed, consumer: createEmittedConsumer({ ...emitted, groupCommit }) };
  }

  it('a message waits 200 ms for a locked wallet, and its commit 25 s', async () => {
    const { handed, consumer } = createRecorder([succeed(decision)]);
    const beforeMs = performance.now();
    await consumer.handle([messageOf(ana)]);
    const [{ atMs, waiting } = { atMs: 0, waiting: undefined as never }] = handed;
    expect(waiting.busyAfterMs).toBe(200);
    expect(waiting.deadlineMs).toBeGreaterThanOrEqual(beforeMs + 25_000);
    expect(waiting.deadlineMs).toBeLessThanOrEqual(atMs + 25_000);
  });

  it('what was held back behind a failure has the reason of that failure', async () => {
    const results = [refusalOf('CANCELLED'), refusalOf('CANCELLED')];
    const { handed, consumer } = createRecorder(results);
    const { emitted } = create();
    const submitMany = (commands: readonly AuditedCommand[], waiting: Waiting) => {
      handed.push({ atMs: 0, waiting });
      // Of one wallet the first failure counts, and another wallet has none.
      waiting.onGivenUp?.(refusalOf('WALLET_BUSY').rejection, commands[0]!);
      waiting.onGivenUp?.(refusalOf('DATABASE_UNAVAILABLE').rejection, commands[0]!);
      expect(commands.map((command) => waiting.isCancelled(command))).toEqual([true, false]);
      return Promise.resolve({ completed: Promise.resolve([results[0]!, succeed(decision)]) });
    };
    const groupCommit = { ...emitted.groupCommit, submitMany } as typeof emitted.groupCommit;
    const held = createEmittedConsumer({ ...emitted, groupCommit });
    const handlings = await held.handle([messageOf(ana), messageOf(bia)]);
    expect(handlings.map(({ kind }) => kind)).toEqual(['held', 'done']);
    // Without a failure before it, it was cancelled for another reason: all wait.
    const cancelled = consumer.handle([messageOf(ana), messageOf(bia)]);
    expect((await transientOf(cancelled))?.reason).toBe('CANCELLED');
  });

  it('another refusal on a wallet that was given up keeps its own reason', async () => {
    const { emitted } = create();
    const submitMany = (commands: readonly AuditedCommand[], waiting: Waiting) => {
      waiting.onGivenUp?.(refusalOf('WALLET_BUSY').rejection, commands[0]!);
      const results = [refusalOf('WALLET_BUSY'), refusalOf('WALLET_CORRUPT')];
      return Promise.resolve({ completed: Promise.resolve(results) });
    };
    const groupCommit = { ...emitted.groupCommit, submitMany } as typeof emitted.groupCommit;
    const consumer = createEmittedConsumer({ ...emitted, groupCommit });
    const handlings = await consumer.handle([messageOf(ana), messageOf(ana)]);
    expect(handlings).toMatchObject([{ kind: 'held' }, { kind: 'dead', reason: 'WALLET_CORRUPT' }]);
  });

  it('a batch is as many messages as two full commits', () => {
    expect(create().consumer.maxBatch).toBe(2_048);
  });
});
