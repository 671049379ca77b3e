import { randomUUID } from 'node:crypto';

import { describe, expect, it } from 'vitest';

import { refuse, type Result } from '../../../core/reasons.ts';
import { brlWalletOf, buildCommand } from '../../../tests/support/ledger/build-command.ts';
import { noStates } from '../../../tests/support/ledger/wallet-decider.ts';
import type { AuditActor } from '../../platform/audit/audit.ts';
import { packLines } from '../../platform/audit/events.ts';
import { closingKey, lineOf, toAuditRecords, withAudit, withAudits } from './audit.ts';
import type { Command, Decision } from '../domain.ts';
import { decideBatch } from '../domain-batch.ts';
import type { AuditedCommand, AuditedDecision } from './audited-command.ts';

const staffId = randomUUID();
const actor: AuditActor = {
  principal: {
    kind: 'user',
    userId: staffId,
    role: 'operator',
    sessionId: randomUUID(),
    apiKey: undefined,
  },
  requestId: 'request',
};

const command = (fields: Partial<Command> = {}, userId: string = randomUUID()): Command =>
  buildCommand(userId, {
    ...{ amountMinor: 12_345n, callerClass: 'staff', actor: staffId },
    ...fields,
  });

function post(given: Command, isReplayed = false): Result<AuditedDecision> {
  const [decision] = decideBatch(noStates, [given], 1).decisions;
  if (decision?.kind !== 'accepted' || !decision.entries[0]) throw new Error('not accepted');
  return { ok: true, value: { entry: decision.entries[0], isReplayed } };
}

/** What was decided, where each that is new is accepted. */
function decisionOf(outcome: Result<AuditedDecision>): Decision {
  if (!outcome.ok) return { kind: 'rejected', rejection: outcome.rejection, isRepeated: false };
  const entries = [{ ...outcome.value.entry, previousHash: '' }];
  return { kind: outcome.value.isReplayed ? 'replayed' : 'accepted', entries };
}

const recordsOf = (
  commands: readonly AuditedCommand[],
  outcomes: readonly Result<AuditedDecision>[],
) => toAuditRecords(commands, outcomes, outcomes.map(decisionOf));
const entriesOf = (...given: Parameters<typeof recordsOf>) => recordsOf(...given).entries;

const refused: Result<AuditedDecision> = refuse('INSUFFICIENT_FUNDS', 'too little');

describe('audit lines', () => {
  it('each command of staff has an audit line with its data and its outcome', () => {
    const commands = [command(), command(), command({ operation: 'withdraw' })];
    const postings = commands.map((c) => withAudit(c, actor));
    const outcomes = [post(commands[0]!), post(commands[1]!, true), refused];
    const entries = entriesOf(postings, outcomes);
    expect(entries.map(({ line }) => line.result)).toEqual([
      'ok',
      'replayed',
      'INSUFFICIENT_FUNDS',
    ]);
    expect(entries.map(({ line }) => line.target)).toEqual(commands.map((c) => c.wallet.userId));
    expect(entries[0]?.line).toMatchObject({
      action: 'transaction.create',
      details: {
        operation: 'deposit',
        currency: 'BRL',
        amount: '123.45',
        transactionId: commands[0]?.transactionId,
      },
    });
    expect(new Set(entries.map(({ id }) => id)).size).toBe(3);
  });

  it('commands of customers and messages have no audit line', () => {
    const others = (['customer', 'message'] as const).map((callerClass) =>
      withAudit(command({ callerClass }), actor),
    );
    expect(entriesOf(others, [refused, refused])).toEqual([]);
  });

  it('an audit line has the same id for the same outcome, and another one otherwise', () => {
    const posting = withAudit(command(), actor);
    const idOf = (outcome: Result<AuditedDecision>) => entriesOf([posting], [outcome])[0]?.id;
    expect(idOf(post(posting))).toBe(idOf(post(posting)));
    expect(idOf(post(posting))).not.toBe(idOf(refused));
    const sentAgain = withAudit(command(), actor);
    expect(entriesOf([sentAgain], [refused])[0]?.id).not.toBe(idOf(refused));
  });

  it('the audit line of an undo without amount has its parent’s, once that is known', () => {
    const parent = command();
    const undo = command(
      { operation: 'reversal', amountMinor: undefined, parentId: parent.transactionId },
      parent.wallet.userId,
    );
    expect(lineOf(undo, refused).details).not.toHaveProperty('amount');
    expect(lineOf(undo, post(parent)).details).toMatchObject({ amount: '123.45' });
  });

  it.each([
    ['stream', 'transaction.stream'],
    ['batch', 'transaction.batch'],
  ] as const)('a %s has one audit line per commit, with counts', (kind, action) => {
    const commands = [command(), command(), command(), command()];
    const streamed = withAudits(commands.slice(0, 3), actor, { kind, id: 'group-1' });
    const postings = [...streamed, ...commands.slice(3).map((c) => withAudit(c, actor))];
    const outcomes = [post(commands[0]!), post(commands[1]!, true), refused, post(commands[3]!)];
    const entries = entriesOf(postings, outcomes);
    expect(entries.map(({ line }) => line)).toMatchObject([
      {
        action,
        target: '3 users',
        details: { [kind]: 'group-1', created: '1', replayed: '1', rejected: '1' },
      },
      { action: 'transaction.create', target: commands[3]?.wallet.userId },
    ]);
  });

  it.each([true, false])('each forced transaction has a line of its own (batch: %s)', (isBatch) => {
    const forced = { more: { isForced: true } };
    const closing = { more: { isForced: true }, metadata: { [closingKey]: 'true' } };
    const commands = [command(), ...[forced, forced, forced, closing].map((one) => command(one))];
    const postings = isBatch
      ? withAudits(commands, actor, { kind: 'batch', id: 'b' })
      : commands.map((one) => withAudit(one, actor));
    const outcomes = commands.map((one, i) => (i === 3 ? refused : post(one, i === 2)));
    const lines = entriesOf(postings, outcomes).filter(
      ({ line }) => line.action === 'transaction.force',
    );
    // A replay was recorded before, and a refusal forced nothing.
    expect(lines.map(({ line }) => line)).toMatchObject([
      {
        target: commands[1]?.wallet.userId,
        result: 'ok',
        details: { transactionId: commands[1]?.transactionId, forced: 'true', amount: '123.45' },
      },
    ]);
    const ids = entriesOf(postings, outcomes).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('new transactions of one actor in a commit are one row, in order; others have their own', () => {
    const by = (userId: string, keyId?: string): AuditActor => {
      const principal = { kind: 'user', userId, role: 'operator', sessionId: undefined } as const;
      const limits = { scopes: [], walletId: undefined, operations: [], hasOwnerTotp: false };
      const key = {
        keyId: keyId ?? '',
        userId,
        role: 'operator',
        expiresAtMs: 0,
        ...limits,
      } as const;
      const apiKey = keyId === undefined ? undefined : key;
      return { principal: { ...principal, apiKey }, requestId: randomUUID() };
    };
    const [other, key] = [randomUUID(), randomUUID()];
    const actors = [by(staffId), by(other), by(staffId, key), by(staffId), by(staffId, key)];
    const commands = Array.from({ length: 12 }, () => command());
    const postings = commands.map((c, i) => withAudit(c, actors[i % 5] ?? actor));
    const outcomes = commands.map((c, i) => (i === 10 ? refused : post(c, i === 11)));
    const { entries, packs } = recordsOf(postings, outcomes);
    const idsOf = (pack: (typeof packs)[number]) =>
      pack.entries.map(({ line }) => line.details?.['transactionId']);
    const wanted = [
      [0, 3, 5, 8],
      [1, 6],
      [2, 4, 7, 9],
    ];
    expect(packs.map(idsOf)).toEqual(wanted.map((of) => of.map((i) => commands[i]?.transactionId)));
    expect(packs[0]?.entries.map((entry) => entry.actor.requestId)).toEqual(
      [0, 3, 0, 3].map((i) => actors[i]?.requestId),
    );
    expect(entries.map(({ line }) => line.result)).toEqual(['INSUFFICIENT_FUNDS', 'replayed']);
    expect(new Set(packs.map(({ id }) => id)).size).toBe(3);
  });

  it('lines share a row only with details of the same names, and lose none', () => {
    const other = brlWalletOf(randomUUID());
    const kinds: readonly Partial<Command>[] = [
      {},
      { operation: 'transfer', more: { other } },
      { operation: 'withdraw', more: { isForced: true } },
      { operation: 'transfer', more: { other, isForced: true } },
    ];
    for (let turn = 0; turn < kinds.length; turn += 1) {
      const commands = Array.from({ length: 8 }, (_, i) => command(kinds[(turn + i) % 4]));
      const outcomes = commands.map(() => post(command()));
      const { entries, packs } = recordsOf(
        commands.map((c) => withAudit(c, actor)),
        outcomes,
      );
      expect(entries.map(({ line }) => line.action)).toEqual(Array(4).fill('transaction.force'));
      const packed = packs.flatMap((pack) => {
        const lines = pack.entries.map(({ line: { target, details = {} } }) => ({
          ...{ target, requestId: 'request', details },
        }));
        const [names = [], ...rows] = packLines(lines);
        return rows.map((row) => names?.map((name, i) => [name, row?.[i]]));
      });
      const read = packed.map((row) => Object.fromEntries(row ?? []) as Record<string, string>);
      const of = (id: string) => read.find(({ transactionId }) => transactionId === id);
      for (const { transactionId, wallet, more } of commands) {
        expect(of(transactionId)).toMatchObject({
          target: wallet.userId,
          ...(more?.other ? { otherUserId: other.userId } : {}),
          ...(more?.isForced ? { forced: 'true' } : {}),
        });
      }
      expect(read).toHaveLength(commands.length);
    }
  });

  it('a transaction that its own in-doubt commit made has its line already', () => {
    const commands = [command(), command(), command(), command()];
    const [first, ...rest] = commands.map((c) => withAudit(c, actor));
    const outcomes = commands.map((c) => post(c));
    const decisions = outcomes.map(decisionOf);
    const made = outcomes.map(
      (outcome) => ({ ...decisionOf(outcome), kind: 'replayed' }) as Decision,
    );
    const all = [first!, ...rest];
    expect(toAuditRecords(all, outcomes, made)).toEqual({ entries: [], packs: [] });
    const half = toAuditRecords(all, outcomes, [...made.slice(0, 2), ...decisions.slice(2)]);
    expect(half.entries).toEqual([]);
    expect(half.packs.map(({ entries }) => entries.map(({ line }) => line.target))).toEqual([
      commands.slice(2).map(({ wallet }) => wallet.userId),
    ]);
  });
});
