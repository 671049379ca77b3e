import { readFileSync } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { operations } from '../../core/operations.ts';
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
import { specify } from '../support/ledger/decider-spec.ts';
import { createWalletDecider, noStates, withWallet } from '../support/ledger/wallet-decider.ts';

type Schema = {
  type: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean;
  enum?: unknown[];
  const?: unknown;
  pattern?: string;
  minimum?: number;
  minLength?: number;
  maxLength?: number;
  description?: string;
};

const read = (path: string): string =>
  readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const guide = read('docs/events.md');
type Api = { asyncapi: string; components: { schemas: Record<string, Schema> } };
const api = JSON.parse(read('docs/asyncapi.json')) as Api;

const typeOf = (value: unknown): string => {
  if (value === null) return 'null';
  return Number.isInteger(value) ? 'integer' : typeof value;
};

const known = new Set(
  ['type', 'properties', 'required', 'additionalProperties', 'enum', 'const', 'pattern'].concat(
    ['minimum', 'minLength', 'maxLength', 'description'], // the last says nothing to check
  ),
);

/** What is wrong with a value, by the few keywords of JSON Schema that asyncapi.json uses. */
function check(schema: Schema | undefined, value: unknown, path = '$'): string[] {
  if (!schema) return [`${path}: no schema`];
  const faults = Object.keys(schema)
    .filter((keyword) => !known.has(keyword))
    .map((keyword) => `${path}: keyword ${keyword} is not checked`);
  const actual = typeOf(value);
  const types = [schema.type].flat();
  if (!types.includes(actual) && !(actual === 'integer' && types.includes('number'))) {
    return [...faults, `${path}: is ${actual}`];
  }
  const fail = (isWrong: boolean, keyword: string) => isWrong && faults.push(`${path}: ${keyword}`);
  fail(schema.enum !== undefined && !schema.enum.includes(value), 'enum');
  fail(schema.const !== undefined && schema.const !== value, 'const');
  if (typeof value === 'number') fail(value < (schema.minimum ?? -Infinity), 'minimum');
  if (typeof value === 'string') {
    fail(!new RegExp(schema.pattern ?? '').test(value), 'pattern');
    fail(value.length < (schema.minLength ?? 0), 'minLength');
    fail(value.length > (schema.maxLength ?? Infinity), 'maxLength');
  }
  if (typeof value !== 'object' || value === null) return faults;
  const fields = Object.entries(value);
  for (const name of schema.required ?? []) fail(!Object.hasOwn(value, name), `needs ${name}`);
  for (const [name, field] of fields) {
    const inner = schema.properties?.[name];
    if (inner) faults.push(...check(inner, field, `${path}.${name}`));
    else fail(schema.additionalProperties !== true, `has ${name}`);
  }
  return faults;
}

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

  it('asyncapi.json describes the result of toRejectedMessage', () => {
    const command = makeCommand({ operation: 'withdraw' });
    const decision = decideOn(command, 0n);
    if (decision.kind !== 'rejected') throw new Error(decision.kind);
    const { body } = toRejectedMessage({ command, rejection: decision.rejection });
    expect(findFaults('TransactionRejected', overTheWire(body))).toEqual([]);
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
    const domain = read('daemon/wallet/domain.ts');
    const reasons = [...domain.matchAll(/reject\(\s*'([A-Z_]+)'/g)].map(([, reason]) => reason);
    const passing = ['WALLET_CLOCK_AHEAD', 'WALLET_CORRUPT'];
    const remembered = new Set(reasons.filter((reason) => !passing.includes(reason ?? '')));
    const { data } = api.components.schemas['TransactionRejected']!.properties!;
    expect(new Set(data?.properties?.['reason']?.enum)).toEqual(remembered);
    const emitted = api.components.schemas['TransactionEmitted']!.properties!['data'];
    const operation = emitted?.properties?.['transaction']?.properties?.['operation'];
    expect(operation?.enum).toEqual([...operations, ...operations.keys()]);
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
    // toPoison hands on what toCommand refuses, but for INVALID_ARGUMENT.
    const refused = [
      ...read('daemon/wallet/requests/request.ts').matchAll(/refuse\(\s*'([A-Z_]+)'/g),
    ]
      .map(([, name = '']) => name)
      .filter((name) => name !== 'INVALID_ARGUMENT');
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
    expect(asked).toHaveLength(2);
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
    for (const example of asked) expect(findFaults('TransactionEmitted', example)).toEqual([]);
    const [created] = examplesOf('transaction_created');
    expect(findFaults('TransactionCreated', created)).toEqual([]);
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
