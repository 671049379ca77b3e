import { afterAll, beforeAll, expect, it } from 'vitest';

import {
  StatementServiceService,
  StatementStatus,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connect, item } from '../../support/grpc/client.ts';
import { startPooler, type Pooler } from '../../support/postgres/pgbouncer.ts';
import { startPostgres, type PostgresServer } from '../../support/postgres/server.ts';
import { signUp } from '../../support/broker/producer.ts';
import { createServerWorld, type ServerWorld } from '../../support/processes/server-world.ts';
import { expectCode } from '../../support/processes/world.ts';
import { queryUrl } from '../../support/postgres/client.ts';

/** What PgBouncer needs to take such parameters without a word, and drop them. */
const ignored =
  'ignore_startup_parameters = extra_float_digits,options,statement_timeout,lock_timeout,' +
  'idle_in_transaction_session_timeout';
/** Far less than any time zone is off. */
const nearMs = 10 * 60_000;

let server: PostgresServer;
let pooler: Pooler;
let world: ServerWorld;

beforeAll(async () => {
  server = await startPostgres({ settings: { timezone: 'Asia/Tokyo', datestyle: 'SQL, DMY' } });
  pooler = await startPooler(server.port, 'session', [ignored]);
  world = await createServerWorld(server, pooler.url);
}, 120_000);

afterAll(async () => {
  await world.dispose();
  await pooler.stop();
  await server.stop();
});

it('times are right behind a pooler in session mode, with a server in Asia/Tokyo', async () => {
  expectCode(await world.walletd(['migrate']), 0);
  const daemon = await world.start();
  const connection = connect(daemon.address);
  const { token } = await signUp(daemon.address, 'ana');
  const from = new Date(Date.now() - nearMs);
  const created = await connection.call(
    WalletServiceService.createTransaction,
    {
      item: item({ currency: 'BRL', operation: Operation.DEPOSIT, amountMinor: 100n }),
      dryRun: false,
    },
    token,
  );
  if (!created.ok) throw new Error(created.reason);
  const occurredAt = created.value.transaction?.occurredAt;
  expect(Math.abs(Number(occurredAt) - Date.now())).toBeLessThan(nearMs);

  const to = new Date(Number(occurredAt) + 1);
  const shown = await connection.call(
    StatementServiceService.generateStatement,
    {
      ...{ userId: '', currency: 'BRL', from, to, timezone: '', pageSize: 10, pageToken: '' },
      ...{ operations: [], descending: false },
    },
    token,
  );
  if (!shown.ok) throw new Error(shown.reason);
  expect(shown.value.status).toBe(StatementStatus.COMPLETE);
  expect(shown.value.statement?.lines.map((line) => line.occurredAt)).toEqual([occurredAt]);
  connection.close();

  for (const [database, table] of [
    ['wallet', 'transactions'],
    ['statement', 'statement_lines'],
  ] as const) {
    const rows = await readTimes(database, table);
    expect(rows).toEqual([occurredAt]);
  }
});

it('start and migrate refuse a pooler in transaction mode, and name it', async () => {
  await pooler.restart('transaction');
  await expect(world.start()).rejects.toThrow(/transaction pooling[\s\S]*pool_mode = session/);
  const migration = await world.walletd(['migrate']);
  expect(migration.code).toBe(1);
  expect(migration.stderr).toContain('transaction pooling');
});

/** Past the pooler and the daemon's own settings of a connection. */
async function readTimes(database: string, table: string): Promise<Date[]> {
  const text = `SELECT (extract(epoch FROM occurred_at) * 1000)::bigint AS ms FROM ${table}`;
  const rows = await queryUrl<{ ms: string }>(server.url({ database }), text);
  return rows.map(({ ms }) => new Date(Number(ms)));
}
