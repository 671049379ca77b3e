import { describe, expect, test } from 'vitest';

import {
  DeadLetter,
  DeadLetterState,
} from '../../../protos/gen/digitalwallet/common/v1/dead_letter.ts';
import { captureIo } from '../../test-support.ts';
import { deadLetterColumns, toDeadLetterJson, type DeadLetterRow } from './columns.ts';
import { formatRows } from '../../output/list-printer.ts';

const row = (letter: Partial<DeadLetter> = {}): DeadLetterRow => ({
  service: 'wallet',
  isDryRun: false,
  letter: DeadLetter.fromPartial({
    id: '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11',
    queue: 'wallet_queue',
    reason: 'AMOUNT_INVALID',
    body: '{"pattern":\n"x"}',
    state: DeadLetterState.PENDING,
    createdAt: new Date('2026-11-22T12:00:00.123Z'),
    ...letter,
  }),
});

describe('a dead letter as JSON', () => {
  test('the JSON of a dead letter omits fields without a value', () => {
    const json: unknown = JSON.parse(JSON.stringify(toDeadLetterJson(row())));
    expect(json).toEqual({
      id: '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11',
      service: 'wallet',
      queue: 'wallet_queue',
      reason: 'AMOUNT_INVALID',
      body: '{"pattern":\n"x"}',
      state: 'pending',
      createdAt: '2026-11-22T12:00:00.123Z',
    });
  });

  test('the JSON of a dead letter has its decision, by whom, and a dry-run mark', () => {
    const decided = row({
      messageId: 'order-1042',
      field: 'amount',
      state: DeadLetterState.DISCARDED,
      decidedAt: new Date('2026-11-23T12:00:00Z'),
      decidedBy: 'someone',
    });
    expect(toDeadLetterJson({ ...decided, isDryRun: true })).toMatchObject({
      messageId: 'order-1042',
      field: 'amount',
      state: 'discarded',
      decidedAt: '2026-11-23T12:00:00.000Z',
      decidedBy: 'someone',
      dryRun: true,
    });
    expect(toDeadLetterJson(row({ state: 9 as DeadLetterState }))).toMatchObject({
      state: 'unknown',
    });
  });
});

describe('a table of dead letters', () => {
  const manner = { output: 'table', isQuiet: false, isVerbose: false, hasColor: false } as const;
  const columns = deadLetterColumns('UTC', 'list');

  test('a table of dead letters in a pipe has one line for each, with its whole body', async () => {
    const text = await formatRows({ io: captureIo(), manner }, columns, [row()]);
    expect(text.split('\n').map((line) => line.trimEnd().split(/ {2,}/))).toEqual([
      ['CREATED', 'ID', 'REASON', 'FIELD', 'MESSAGE ID', 'BODY'],
      [
        '2026-11-22 12:00:00',
        '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11',
        'AMOUNT_INVALID',
        '{"pattern": "x"}',
      ],
      [''],
    ]);
  });

  test('a table of dead letters fits the terminal and strips control characters', async () => {
    const body = `\u001b[31m{"description": "${'é'.repeat(60_000)}"}`;
    const io = captureIo({ isTerminal: true, columns: 140 });
    const text = await formatRows({ io, manner }, columns, [row({ body })]);
    for (const line of text.split('\n')) expect(line.length).toBeLessThanOrEqual(140);
    expect(text).toContain('…');
    expect(text).not.toContain('\u001b');
  });

  test('the table of a decision shows the state of dead letters instead of the time', () => {
    const shown = deadLetterColumns('UTC', 'decision').filter(
      ({ table }) => table && !table.isCardOnly,
    );
    expect(shown.map(({ header }) => header)).toEqual([
      'id',
      'state',
      'reason',
      'field',
      'message_id',
      'body',
    ]);
  });
});
