import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { numberedOperations, operations } from '../../core/operations.ts';
import { refuse } from '../../core/reasons.ts';
import type { InboundMessage } from '../../daemon/platform/broker/broker.ts';
import { toCheckpointMessage } from '../../daemon/wallet/checkpoints/message.ts';
import type { Command } from '../../daemon/wallet/domain.ts';
import {
  readEmitted,
  toCreatedMessage,
  toRejectedMessage,
} from '../../daemon/wallet/events/messages.ts';
import {
  readLine,
  readRequested,
  toReadyMessage,
  toRequestedMessage,
} from '../../daemon/statement/projection/messages.ts';
import { brlWalletOf, buildCommand } from '../support/ledger/build-command.ts';
import { check, type Schema } from './json-schema.ts';
import { specify } from '../support/ledger/decider-spec.ts';
import { createWalletDecider, noStates, withWallet } from '../support/ledger/wallet-decider.ts';

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const guide = read('docs/events.md');
type Api = { asyncapi: string; components: { schemas: Record<string, Schema> } };
const api = JSON.parse(read('docs/asyncapi.json')) as Api;

const findFaults = (name: string, value: unknown) => check(api.components.schemas[name], value);
/** As it goes over the wire: what is undefined is absent. */
const overTheWire = (value: object): unknown => JSON.parse(JSON.stringify(value));

const examples = [...guide.matchAll(/```json\n(.*?)```/gs)]
  .map(([, text = '']) => JSON.parse(text) as { pattern?: string; data?: object })
  .filter(({ data }) => data && Object.keys(data).length > 0);
const examplesOf = (pattern: string) => examples.filter((example) => example.pattern === pattern);

const toInbound = (body: object, messageId?: string): InboundMessage => ({
  messageId,
  body,
  text: JSON.stringify(body),
  userId: undefined,
  headers: {},
});

const userId = '0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10';
const wallet = brlWalletOf(userId);
const parentId = 'c2b1a7f4-3f60-5d22-8f35-6a0e4f1b2d90';
const noMore = { parentAmountMinor: undefined, groupId: parentId };

const makeCommand = (change: Partial<Command>): Command =>
  buildCommand(userId, {
    ...{ transactionId: '6b6a2f0c-8f5e-5c1b-9f43-0d8f2a1c7e55', key: 'order-4711', wallet },
    ...{ amountMinor: 15_999n, callerClass: 'message', actor: 'amqp' },
    ...change,
  });

const decideOn = (command: Command, balanceMinor: bigint) =>
  specify(createWalletDecider(1_700_000_000_000))
    .given(withWallet(noStates, wallet, { balanceMinor, seq: 2n }))
    .when(command).decision;

describe('docs/asyncapi.json', () => {
  it.each([
    makeCommand({ description: 'Invoice 17' }),
    makeCommand({ operation: 'withdraw', metadata: { order: '4711' } }),
    makeCommand({ operation: 'purchase', merchant: 'Bookshop' }),
  ])('asyncapi.json describes the result of toCreatedMessage for a $operation', (command) => {
    const decision = decideOn(command, 20_000n);
    if (decision.kind !== 'accepted') throw new Error(decision.kind);
    for (const entry of [decision.entries[0]!, { ...decision.entries[0]!, parentId }]) {
      const { body } = toCreatedMessage(entry);
      expect(findFaults('TransactionCreated', overTheWire(body))).toEqual([]);
    }
  });

  it('asyncapi.json describes both entries of a transfer, and an undo that was forced', () => {
    const other = brlWalletOf('1b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a11');
    const states = withWallet(
      withWallet(noStates, wallet, { balanceMinor: 20_000n, seq: 2n }),
      other,
      {
        balanceMinor: 0n,
        seq: 1n,
      },
    );
    const transfer = makeCommand({ operation: 'transfer', more: { other } });
    const { decision } = specify(createWalletDecider(1_700_000_000_000))
      .given(states)
      .when(transfer);
    if (decision.kind !== 'accepted') throw new Error(decision.kind);
    expect(decision.entries).toHaveLength(2);
    const more = { ...noMore, heldMinor: -1n, heldAfterMinor: 1n, parentUsedMinor: 5n };
    for (const entry of decision.entries) {
      for (const one of [entry, { ...entry, balanceAfterMinor: -5n, more }]) {
        const { body } = toCreatedMessage(one);
        expect(findFaults('TransactionCreated', overTheWire(body))).toEqual([]);
      }
    }
  });

  it('asyncapi.json describes a hold, what releases it, and a capture', () => {
    const more = { ...noMore, parentUsedMinor: 0n, groupId: undefined };
    const decision = decideOn(makeCommand({ operation: 'withdraw' }), 20_000n);
    if (decision.kind !== 'accepted') throw new Error(decision.kind);
    const entry = { ...decision.entries[0]!, contraAccount: 'merchant:Hotel', amountMinor: 0n };
    const placed = { ...more, heldMinor: 500n, heldAfterMinor: 500n };
    const used = { ...more, heldMinor: -300n, heldAfterMinor: 200n, parentUsedMinor: 100n };
    const metadata = { 'dw.expiresAt': '2026-11-29T18:00:00.000Z' };
    const release = { ...entry, operation: 'release', parentId, more: used } as const;
    const holds = [
      ...[{ ...entry, operation: 'hold', metadata, more: placed } as const, release],
      { ...release, source: 'system', actor: 'walletd' } as const,
    ];
    for (const one of holds) {
      const body = overTheWire(toCreatedMessage(one).body);
      expect(findFaults('HoldChanged', body)).toEqual([]);
      expect(findFaults('TransactionCreated', body)).not.toEqual([]);
    }
    const capture = { ...release, operation: 'capture', amountMinor: -250n } as const;
    const body = overTheWire(toCreatedMessage(capture).body);
    expect(findFaults('TransactionCreated', body)).toEqual([]);
    expect(findFaults('HoldChanged', body)).not.toEqual([]);
  });

  it('asyncapi.json describes the result of toRejectedMessage', () => {
    const command = makeCommand({ operation: 'withdraw' });
    const decision = decideOn(command, 0n);
    if (decision.kind !== 'rejected') throw new Error(decision.kind);
    const { body } = toRejectedMessage({ command, rejection: decision.rejection });
    expect(findFaults('TransactionRejected', overTheWire(body))).toEqual([]);
    expect(overTheWire(body)).not.toHaveProperty('data.walletId');
    const rejection = refuse('WALLET_FROZEN', 'frozen', { walletId: parentId }).rejection;
    const ofOther = overTheWire(toRejectedMessage({ command, rejection }).body);
    expect(findFaults('TransactionRejected', ofOther)).toEqual([]);
    expect(ofOther).toHaveProperty('data.walletId', parentId);
  });

  it('asyncapi.json describes the events of exports', () => {
    const { body } = toRequestedMessage(parentId);
    expect(findFaults('StatementRequested', overTheWire(body))).toEqual([]);
    for (const status of ['done', 'failed'] as const) {
      const ready = toReadyMessage(parentId, userId, status);
      expect(findFaults('StatementReady', overTheWire(ready.body))).toEqual([]);
    }
  });

  it('asyncapi.json describes the result of toCheckpointMessage', () => {
    const checkpoint = {
      ...{ number: 12n, origin: userId, takenAtMs: 1_700_000_000_000, size: 3n },
      ...{ root: Buffer.alloc(32), text: 'text', signature: `${'A'.repeat(86)}==` },
      keyId: '0123456789abcdef',
    };
    const { body } = toCheckpointMessage(checkpoint, 84n);
    expect(findFaults('LedgerCheckpoint', overTheWire(body))).toEqual([]);
  });

  it('asyncapi.json names every operation, and every reason of a rejection', () => {
    const rules = ['batch', 'checks', 'movement', 'holds', 'limits'];
    const files = ['domain', ...rules.map((name) => `domain-${name}`)];
    const domain = files.map((name) => read(`daemon/wallet/${name}.ts`)).join('');
    const reasons = [...domain.matchAll(/reject\(\s*'([A-Z_]+)'/g)].map(([, reason]) => reason);
    // Two pass, and one is what customers are answered.
    const passing = ['WALLET_CLOCK_AHEAD', 'WALLET_CORRUPT', 'RECIPIENT_UNAVAILABLE'];
    const remembered = new Set(reasons.filter((reason) => !passing.includes(reason ?? '')));
    const { data } = api.components.schemas['TransactionRejected']!.properties!;
    expect(new Set(data?.properties?.['reason']?.enum)).toEqual(remembered);
    const emitted = api.components.schemas['TransactionEmitted']!.properties!['data'];
    const operation = emitted?.properties?.['transaction']?.properties?.['operation'];
    // A fee is an item of a group, which no message can be.
    const names = operations.filter((name) => name !== 'fee');
    expect(operation?.enum).toEqual([...names, ...numberedOperations.keys()]);
  });
});

/** The first column of the table under a heading, without its quotes. */
function firstColumn(heading: string): string[] {
  const [, section = ''] = guide.split(`\n${heading}\n`);
  const [ownSection = ''] = section.split('\n## ');
  return [...ownSection.matchAll(/^\| `([^`]+)` *\|/gm)].map(([, cell = '']) => cell);
}

describe('docs/events.md', () => {
  it('docs/events.md lists exactly the reasons of dead letters', () => {
    const source =
      read('daemon/wallet/events/messages.ts') + read('daemon/wallet/events/emitted-consumer.ts');
    const given = [...source.matchAll(/poison\(([^,]*),/g)].flatMap(([, reason = '']) =>
      [...reason.matchAll(/(?<!=== )'([A-Z_]+)'/g)].map(([, name = '']) => name),
    );
    // A message that needs an operator becomes a dead letter with its own reason.
    const [, forOperators = ''] = /forOperators[^[]*\[([^\]]*)\]/.exec(source) ?? [];
    const handedOn = [...forOperators.matchAll(/'([A-Z_]+)'/g)].map(([, name = '']) => name);
    expect(handedOn).not.toEqual([]);
    // toPoison hands on what toCommand refuses, but for INVALID_ARGUMENT and what groups need.
    const refused = [
      ...read('daemon/wallet/requests/request.ts').matchAll(/refuse\(\s*'([A-Z_]+)'/g),
    ]
      .map(([, name = '']) => name)
      .filter((name) => !['INVALID_ARGUMENT', 'IDEMPOTENCY_KEY_REQUIRED'].includes(name));
    const documented = firstColumn('## Dead letters');
    expect(documented.toSorted()).toEqual(
      [...new Set([...given, ...handedOn, ...refused])].toSorted(),
    );
  });

  it('docs/events.md lists the same reasons of rejection as asyncapi.json', () => {
    const { data } = api.components.schemas['TransactionRejected']!.properties!;
    const rows = firstColumn('## Out: `transaction_rejected`').filter((row) => /^[A-Z]/.test(row));
    expect(rows).toEqual(data?.properties?.['reason']?.enum);
  });

  it('docs/events.md has example messages that can be read and match their schemas', () => {
    const asked = examplesOf('transaction_emitted');
    expect(asked).toHaveLength(5);
    expect(readEmitted(toInbound(asked[0]!, 'a key'), 'BRL')).toMatchObject({
      operation: 'deposit',
      amountMinor: 15_000n,
      idempotencyKey: 'a key',
    });
    expect(readEmitted(toInbound(asked[1]!), 'BRL')).toMatchObject({
      operation: 'cancellation',
      parentId,
      idempotencyKey: 'order-4711-cancelled',
    });
    expect(readEmitted(toInbound(asked[2]!, 'a key'), 'BRL')).toMatchObject({
      ...{ operation: 'transfer', otherUserId: '1b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a11' },
      metadata: { order: '4711', reference: 'NF-1042' },
    });
    for (const example of asked) expect(findFaults('TransactionEmitted', example)).toEqual([]);
    const [created] = examplesOf('transaction_created');
    expect(findFaults('TransactionCreated', created)).toEqual([]);
    const [held] = examplesOf('hold_changed');
    expect(findFaults('HoldChanged', held)).toEqual([]);
    const more = { heldMinor: 3_000n, heldAfterMinor: 3_000n };
    expect(readLine(toInbound(held!))).toMatchObject({ seq: 4n, amountMinor: 0n, more });
    expect(readLine(toInbound(created!))).toMatchObject({ seq: 3n, amountMinor: -15_999n });
    const [rejected] = examplesOf('transaction_rejected');
    expect(findFaults('TransactionRejected', rejected)).toEqual([]);
    const [askedFor, requested] = examplesOf('statement_requested');
    expect(findFaults('StatementAsked', askedFor)).toEqual([]);
    expect(readRequested(toInbound(askedFor!, 'a key'))).toEqual({
      userId,
      fromMs: Date.parse('2026-11-01'),
      key: 'a key',
    });
    expect(findFaults('StatementRequested', requested)).toEqual([]);
    expect(readRequested(toInbound(requested!))).toEqual(requested?.data);
    expect(findFaults('StatementReady', examplesOf('statement_ready')[0])).toEqual([]);
    expect(findFaults('LedgerCheckpoint', examplesOf('ledger_checkpoint')[0])).toEqual([]);
  });

  it('docs/events.md explains every field of hold_changed, there or with transaction_created', () => {
    const fieldsOf = (name: string) =>
      Object.keys(
        api.components.schemas[name]?.properties?.['data']?.properties?.['transaction']
          ?.properties ?? {},
      );
    expect(fieldsOf('HoldChanged')).toEqual(fieldsOf('TransactionCreated'));
    const differing = firstColumn('## Out: `hold_changed`');
    expect(differing.length).toBeGreaterThan(5);
    const known = fieldsOf('HoldChanged').map((field) => `transaction.${field}`);
    expect(known).toEqual(expect.arrayContaining(differing));
  });

  it('docs/events.md explains every field of the schemas', () => {
    for (const [name, heading] of [
      ['TransactionEmitted', '## In: `transaction_emitted`'],
      ['TransactionCreated', '## Out: `transaction_created`'],
      ['TransactionRejected', '## Out: `transaction_rejected`'],
      ['StatementAsked', '## In: `statement_requested`'],
      ['StatementRequested', '## Out: `statement_requested`'],
      ['StatementReady', '## Out: `statement_ready`'],
      ['LedgerCheckpoint', '## Out: `ledger_checkpoint`'],
    ] as const) {
      const data = api.components.schemas[name]?.properties?.['data']?.properties ?? {};
      const nested = Object.keys(data['transaction']?.properties ?? {});
      const paths = Object.keys(data).filter((field) => field !== 'transaction');
      const all = [...paths, ...nested.map((field) => `transaction.${field}`)];
      expect(firstColumn(heading)).toEqual(expect.arrayContaining(all));
    }
  });
});
