import { afterAll, beforeAll, describe, expect, it } from 'vitest';

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
import { run } from '../../scripts/product.ts';
import { item, type Connection } from '../support/grpc/client.ts';
import { findFaults, queryService, waitUntil } from '../support/ledger/ledger.ts';
import { signUp } from '../support/broker/producer.ts';
import { password } from '../support/processes/world.ts';
import { createClockSite, type ClockSite } from './site.ts';

const dayS = 86_400;
const minuteMs = 60_000;
let site: ClockSite;
let client: Connection;
let count = 0;

beforeAll(async () => {
  site = await createClockSite();
});
afterAll(() => site.dispose());

type Signed = { readonly id: string; readonly email: string; readonly token: string };

async function signUpNew(): Promise<Signed> {
  count += 1;
  const name = `user${count}`;
  return { ...(await signUp(site.daemon().address, name)), email: `${name}@example.com` };
}

/** The clock of a program that is started as the daemon is. */
async function readDaemonClock(): Promise<number> {
  const { env } = site.daemonClock;
  return Number((await run(process.execPath, ['-p', 'Date.now()'], { env })).stdout);
}

const need = <T>(answer: { ok: true; value: T } | { ok: false; reason: string }): T => {
  if (!answer.ok) throw new Error(answer.reason);
  return answer.value;
};

const deposit = async ({ token }: Signed, amountMinor = 100n) => {
  const fields = item({ operation: Operation.DEPOSIT, amountMinor });
  const method = WalletServiceService.createTransaction;
  return need(await client.call(method, { item: fields, dryRun: false }, token)).transaction!;
};

async function readStatement({ token }: Signed, to?: Date) {
  const range = { from: new Date(Date.now() - 60 * minuteMs), to, timezone: '' };
  const page = { pageSize: 0, pageToken: '', operations: [], descending: false };
  const request = { userId: '', currency: '', ...range, ...page };
  return need(await client.call(StatementServiceService.generateStatement, request, token));
}

/** A transaction, its event on the way to the statement, an export, and what tokens are for. */
async function useEverything(user: Signed): Promise<void> {
  const before = Date.now();
  const { occurredAt } = await deposit(user);
  expect(Math.abs(occurredAt!.getTime() - before)).toBeLessThan(minuteMs);
  await waitUntil('the outbox is empty', async () => {
    const rows = await queryService(site.dataDir, 'wallet', 'SELECT 1 FROM outbox LIMIT 1');
    return rows.length === 0;
  });
  const reported = await readStatement(user);
  expect(reported.status).toBe(StatementStatus.COMPLETE);
  expect(Math.abs(reported.statement!.to!.getTime() - before)).toBeLessThan(minuteMs);
  expect(reported.statement?.lines.at(-1)?.transactionId).toBeDefined();
  const later = await readStatement(user, new Date(Date.now() + 30 * minuteMs));
  expect(later.status).toBe(StatementStatus.INCOMPLETE);
  await finishExport(user);
  const request = { email: user.email, password, client: '', deviceToken: '' };
  for (let i = 0; i < 3; i += 1) {
    const { tokens } = need(await client.call(AuthServiceService.signIn, request));
    const refresh = { refreshToken: tokens!.refreshToken };
    const refreshed = need(await client.call(AuthServiceService.refreshSession, refresh));
    await deposit({ ...user, token: refreshed.tokens!.accessToken });
  }
}

async function finishExport({ token }: Signed): Promise<void> {
  const from = new Date(Date.now() - 40 * dayS * 1_000);
  const range = { userId: '', currency: '', from, to: undefined, timezone: '', locale: '' };
  const request = { ...range, format: ExportFormat.CSV, idempotencyKey: '' };
  const more = { email: false, byteOrderMark: false, dryRun: false };
  const method = StatementServiceService.createExport;
  const made = need(await client.call(method, { ...request, ...more }, token)).export!;
  const ask = { exportId: made.id };
  await waitUntil('the export is done', async () => {
    const got = need(await client.call(StatementServiceService.getExport, ask, token));
    return got.export!.status === ExportStatus.DONE;
  });
}

describe('wrong clock of the daemon', () => {
  it.each([2, -2, 600, -600, dayS, -dayS, 40 * dayS, -40 * dayS])(
    'a daemon whose clock is wrong by %d s from its start works as any other',
    async (offsetS) => {
      await site.daemonClock.set(offsetS);
      client = await site.start();
      expect(Math.abs((await readDaemonClock()) - Date.now() - offsetS * 1_000)).toBeLessThan(
        minuteMs,
      );
      await useEverything(await signUpNew());
      expect(await site.stopDaemon()).toBe(0);
      expect(await findFaults(site.dataDir)).toEqual([]);
    },
  );

  it.each([2, -2, dayS, -dayS, 40 * dayS])(
    'a daemon keeps working while its clock steps by %d s and back',
    async (offsetS) => {
      await site.daemonClock.set(0);
      client = await site.start();
      const user = await signUpNew();
      await useEverything(user);
      for (const stepS of [offsetS, 0, offsetS]) {
        const seen = site.daemonClock.step(stepS).then(() => true);
        const soon = () => new Promise<false>((resolve) => setImmediate(() => resolve(false)));
        // Calls are under way at the very moment of the step.
        while (!(await Promise.race([seen, soon()]))) await deposit(user, 1n);
        await useEverything(user);
      }
      expect(await site.stopDaemon()).toBe(0);
      expect(await findFaults(site.dataDir)).toEqual([]);
    },
  );
});
