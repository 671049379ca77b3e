import { expect, test } from 'vitest';

import { OperationalStatus } from '../../../protos/gen/digitalwallet/common/v1/status.ts';
import { describeOperations } from './operations.ts';

const broker = { isRabbitmq: true, trouble: '' };
const describeOne = (status: Parameters<typeof OperationalStatus.fromPartial>[0]) =>
  describeOperations([['wallet', { operational: OperationalStatus.fromPartial(status) }]]);

test('customers get no lines: their answers have no figures', () => {
  expect(describeOperations([['wallet', { operational: undefined }]])).toEqual([]);
});

test('the broker that services of one process share is reported once', () => {
  const operational = OperationalStatus.fromPartial({ broker });
  const both = describeOperations([
    ['wallet', { operational }],
    ['statement', { operational }],
  ]);
  expect(both).toMatchObject([{ check: 'broker', state: 'ok', message: 'connected to RabbitMQ' }]);
});

const cases: [Parameters<typeof describeOne>[0], string, string][] = [
  [{ broker: { isRabbitmq: true, trouble: 'ECONNREFUSED' } }, 'broker', 'problem'],
  [{ outbox: { events: 3n, ageMs: 500n } }, 'wallet outbox', 'ok'],
  [{ outbox: { events: 3n, ageMs: 30_000n } }, 'wallet outbox', 'problem'],
  [{ projection: { lastLagMs: 12n, waitingMs: 0n } }, 'projection', 'ok'],
  [{ projection: { waitingMs: 0n } }, 'projection', 'ok'],
  [{ projection: { lastLagMs: 12n, waitingMs: 31_000n } }, 'projection', 'problem'],
  [{ deadLetters: { pending: 0, hasMore: false } }, 'wallet letters', 'ok'],
  [{ deadLetters: { pending: 2, hasMore: false } }, 'wallet letters', 'warning'],
  [{ checkpoint: { number: 7n, wallets: 3n, ageMs: 60_000n } }, 'checkpoint', 'ok'],
  [{ checkpoint: { number: 7n, ageMs: 9_000_000n, isOverdue: true } }, 'checkpoint', 'warning'],
  [{ stalled: [{ name: 'wallet.outbox', ageMs: 61_000n, reason: 'why' }] }, 'stalled', 'problem'],
  [{ databaseTrouble: 'the database has not answered yet' }, 'wallet database', 'problem'],
  [{ trouble: 'a wallet is corrupt' }, 'wallet trouble', 'problem'],
];
test.each(cases.map((one) => [Object.keys(one[0]).join(), ...one] as const))(
  'figures of %s are a line',
  (_name, status, check, state) => {
    const findings = describeOne(status);
    expect(findings).toMatchObject([{ check, state }]);
    if (state !== 'ok') expect(findings[0]?.fix).toBeTruthy();
  },
);

test('dead letters name the command that lists them, and their count is bounded', () => {
  const oldestAt = new Date('2026-11-01T00:00:00Z');
  const [finding] = describeOne({ deadLetters: { pending: 1_000, hasMore: true, oldestAt } });
  expect(finding?.message).toContain('more than 1000 dead letters wait');
  expect(finding?.message).toContain('2026-11-01T00:00:00.000Z');
  expect(finding?.fix).toBe('wallet dead-letters list --service wallet');
});
