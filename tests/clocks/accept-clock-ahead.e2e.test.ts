import { afterAll, beforeAll, expect, it } from 'vitest';

import { walletIdOf } from '../../core/ids.ts';
import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  ExportFormat,
  ExportStatus,
  StatementServiceService,
  StatementStatus,
} from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  Operation,
  WalletServiceService,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { item, type Answer, type Connection } from '../support/grpc/client.ts';
import { findFaults, queryService, readUrls, waitUntil } from '../support/ledger/ledger.ts';
import { holdWallet } from '../support/postgres/hold-lock.ts';
import { createProducer, signUp, type Producer } from '../support/broker/producer.ts';
import { startRabbitMq, type RabbitMq } from '../support/broker/rabbitmq.ts';
import { password, type Person } from '../support/processes/world.ts';
import { createClockSite, type ClockSite } from './site.ts';

const dayS = 86_400;
let broker: RabbitMq;
let site: ClockSite;
let client: Connection;
let producer: Producer;
let olga: Person;
let ana: { readonly id: string; readonly token: string };

beforeAll(async () => {
  broker = await startRabbitMq();
  const url = broker.url(await broker.createVhost());
  site = await createClockSite({ RABBITMQ_URL: url });
  client = await site.start();
  producer = await createProducer(url);
  olga = await site.staff('olga', 'operator');
  ana = await signUp(site.daemon().address, 'ana');
});

afterAll(async () => {
  await producer.close();
  await site.dispose();
  await broker.dispose();
});

const accept = (...args: string[]) =>
  site.walletd(['wallets', 'accept-clock-ahead', ...args, '--note', 'the clock was a day ahead']);
const acceptHers = (...args: string[]) => accept('--user-id', ana.id, '--currency', 'BRL', ...args);

const deposit = (amountMinor: bigint) =>
  client.call(
    WalletServiceService.createTransaction,
    { item: item({ operation: Operation.DEPOSIT, amountMinor }), dryRun: false },
    ana.token,
  );

const reasonOf = (answer: Answer<unknown>): string => (answer.ok ? 'ok' : answer.reason);

/** Her entries: amount and time, in order. */
const readEntries = (): Promise<{ amount: string; at: string }[]> =>
  queryService(
    site.dataDir,
    'wallet',
    'SELECT amount, occurred_at::text AS at FROM transactions WHERE wallet_id = $1 ORDER BY seq',
    [walletIdOf(ana.id, 'BRL')],
  );
const untilEntries = (count: number) =>
  waitUntil(`${count} entries`, async () => (await readEntries()).length === count, 20_000);

const readAudit = () =>
  queryService<{ actor: string; target: string; details: Record<string, string> }>(
    site.dataDir,
    'wallet',
    "SELECT actor, target, details FROM audit_log WHERE action = 'wallet.accept_clock_ahead'",
  );

async function readStatement(from: Date, to?: Date) {
  const request = { userId: '', currency: '', from, to, timezone: '', pageSize: 0, pageToken: '' };
  const more = { operations: [], descending: false };
  const method = StatementServiceService.generateStatement;
  const answer = await client.call(method, { ...request, ...more }, ana.token);
  if (!answer.ok) throw new Error(answer.reason);
  return answer.value;
}

const readBalance = async (at?: Date): Promise<bigint | undefined> => {
  const request = { userId: '', currency: '', at };
  const answer = await client.call(WalletServiceService.getBalance, request, ana.token);
  return answer.ok ? answer.value.wallet?.balanceMinor : undefined;
};

async function finishExport(from: Date): Promise<void> {
  const range = { userId: '', currency: '', from, to: undefined, timezone: '', locale: '' };
  const request = { ...range, format: ExportFormat.CSV, email: false, byteOrderMark: false };
  const method = StatementServiceService.createExport;
  const more = { idempotencyKey: '', dryRun: false };
  const made = await client.call(method, { ...request, ...more }, ana.token);
  const exportId = made.ok ? made.value.export!.id : made.reason;
  await waitUntil('an export', async () => {
    const got = await client.call(StatementServiceService.getExport, { exportId }, ana.token);
    return (
      got.ok && got.value.export!.status === ExportStatus.DONE && got.value.export!.rows === 1n
    );
  });
}

const hourMs = 3_600_000;
const untilDeadLetter = async (): Promise<string> => {
  const text = "SELECT id FROM dead_letters WHERE state = 'pending' AND reason = $1";
  const read = () =>
    queryService<{ id: string }>(site.dataDir, 'wallet', text, ['WALLET_CLOCK_AHEAD']);
  await waitUntil('a dead letter', async () => (await read()).length === 1, 20_000);
  return (await read())[0]!.id;
};

/** An amount of money goes in while the clock is a day ahead; then the clock is right again. */
async function useWalletAhead(): Promise<void> {
  expect(reasonOf(await deposit(10_000n))).toBe('ok');
  await site.serverClock.step(dayS);
  await producer.emit({ userId: ana.id, operation: 'deposit', amount: '50.00' });
  await untilEntries(2);
  await site.serverClock.step(0);
}

it('a wallet used while the clock was ahead works again after accept-clock-ahead', async () => {
  const begin = new Date(Date.now() - hourMs);
  await useWalletAhead();
  // The second time from what the daemon remembers of the wallet.
  for (let i = 0; i < 2; i += 1) expect(reasonOf(await deposit(500n))).toBe('WALLET_CLOCK_AHEAD');
  await producer.emit({ userId: ana.id, operation: 'deposit', amount: '7.00' });
  const letterId = await untilDeadLetter();
  const reported = await readStatement(begin);
  expect(reported.status).toBe(StatementStatus.COMPLETE);
  expect(reported.statement).toMatchObject({ closingMinor: 10_000n, lines: [{ seq: 1n }] });

  const shown = await acceptHers('--dry-run');
  expect(shown).toMatchObject({ code: 0, stdout: '' });
  expect(shown.stderr).toContain('1 to accept; nothing was changed');
  expect(reasonOf(await deposit(500n))).toBe('WALLET_CLOCK_AHEAD');
  expect(await acceptHers()).toMatchObject({ code: 0, stdout: '' });
  const again = await acceptHers();
  expect(again.code).toBe(0);
  expect(again.stderr).toContain('was accepted before');
  expect(await readAudit()).toMatchObject([
    {
      actor: 'host',
      target: ana.id,
      details: { currency: 'BRL', note: 'the clock was a day ahead' },
    },
  ]);

  // The daemon was not started again.
  expect(reasonOf(await deposit(500n))).toBe('ok');
  await olga.run(['dead-letters', 'replay', letterId, '--yes']);
  await untilEntries(4);
  const entries = await readEntries();
  expect(entries.map(({ amount }) => amount)).toEqual(['10000', '5000', '500', '700']);
  expect(new Set(entries.slice(1).map(({ at }) => at)).size).toBe(1);

  expect(await readBalance()).toBe(16_200n);
  expect(await readBalance(new Date())).toBe(10_000n);
  const now = await readStatement(begin);
  expect(now.status).toBe(StatementStatus.COMPLETE);
  expect(now.statement).toMatchObject({ closingMinor: 10_000n, lines: [{ seq: 1n }] });
  await finishExport(begin);
  const future = await readStatement(begin, new Date(Date.now() + dayS * 1_000 + hourMs));
  expect(future.status).toBe(StatementStatus.INCOMPLETE);

  // A day later the clock has caught up.
  await site.serverClock.step(dayS + 120);
  await waitUntil('the daemon knows the time', async () => {
    const request = { email: 'ana@example.com', password, client: '', deviceToken: '' };
    const signedIn = await client.call(AuthServiceService.signIn, request);
    if (signedIn.ok) ana = { id: ana.id, token: signedIn.value.tokens?.accessToken ?? '' };
    return reasonOf(await deposit(1n)) === 'ok';
  });
  const whole = await readStatement(begin);
  expect(whole.status).toBe(StatementStatus.COMPLETE);
  expect(whole.statement).toMatchObject({ closingMinor: 16_201n });
  expect(await readStatement(begin, reported.statement!.to)).toEqual(reported);
  expect(await findFaults(site.dataDir)).toEqual([]);
  await site.serverClock.step(0);
});

it('accept-clock-ahead refuses a wallet that is not ahead, and one that is absent', async () => {
  const { id } = await signUp(site.daemon().address, 'bob');
  const none = await accept('--user-id', id, '--currency', 'BRL');
  expect(none.code).toBe(1);
  expect(none.stderr).toContain('has no wallet in BRL');
  await producer.emit({ userId: id, operation: 'deposit', amount: '1.00' });
  await waitUntil('a deposit', async () => {
    const text = 'SELECT 1 FROM wallets WHERE user_id = $1';
    return (await queryService(site.dataDir, 'wallet', text, [id])).length === 1;
  });
  const right = await accept('--user-id', id, '--currency', 'BRL');
  expect(right.code).toBe(1);
  expect(right.stderr).toContain('the wallet is not ahead of the clock');
  expect((await accept('--user-id', id)).code).toBe(2);
  expect((await accept('--user-id', id, '--currency', 'BRL', '--all')).code).toBe(2);
  expect(await readAudit()).toHaveLength(1);
});

it('accept-clock-ahead --all accepts every wallet that is ahead and not locked', async () => {
  const two = [
    await signUp(site.daemon().address, 'carla'),
    await signUp(site.daemon().address, 'dora'),
  ];
  await site.serverClock.step(2 * dayS);
  for (const { id } of two)
    await producer.emit({ userId: id, operation: 'deposit', amount: '1.00' });
  await waitUntil('two deposits', async () => {
    const text = 'SELECT 1 FROM wallets WHERE user_id = ANY($1::uuid[])';
    const ids = two.map(({ id }) => id);
    return (await queryService(site.dataDir, 'wallet', text, [ids])).length === 2;
  });
  await site.serverClock.step(0);
  const [locked, free] = two;
  const release = await holdWallet(
    (await readUrls(site.dataDir)).owner('wallet'),
    locked?.id ?? '',
  );
  const first = await accept('--all');
  expect(first.code).toBe(1);
  expect(first.stderr).toContain(free?.id);
  expect(first.stderr).toContain('another transaction has locked: 1; run the command again');
  await release();
  const done = await accept('--all');
  expect(done.code).toBe(0);
  for (const { id } of two) {
    expect(done.stderr).toContain(id);
    await producer.emit({ userId: id, operation: 'deposit', amount: '2.00' });
  }
  await waitUntil('two more deposits', async () => {
    const text = 'SELECT sum(balance) AS sum FROM wallets WHERE user_id = ANY($1::uuid[])';
    const ids = two.map(({ id }) => id);
    const [row] = await queryService<{ sum: string }>(site.dataDir, 'wallet', text, [ids]);
    return row?.sum === '600';
  });
  expect((await readAudit()).map(({ target }) => target)).toEqual(
    expect.arrayContaining(two.map(({ id }) => id)),
  );
});
