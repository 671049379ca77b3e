import { createHash } from 'node:crypto';

import { Client, credentials, Metadata, type MethodDefinition } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  CreateExportRequest,
  ExportStatus,
  GenerateStatementRequest,
  StatementServiceService,
  StatementStatus,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  StreamLedgerRequest,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connect, type Answer, type Connection } from '../../support/grpc/client.ts';
import { queryService, readUrls, waitUntil } from '../../support/ledger/ledger.ts';
import {
  createWorld,
  expectCode,
  password,
  type Person,
  type World,
} from '../../support/processes/world.ts';
import { withClient } from '../../support/postgres/client.ts';

let world: World;
let connection: Connection;
let ana: Person;
let admin: Person;

beforeAll(async () => {
  world = await createWorld();
  await world.start();
  ana = await world.customer('ana');
  admin = await world.staff('root', 'admin');
  connection = connect(world.daemon().address);
  for (let i = 1; i <= 12; i += 1) await ana.json(['deposit', `${i}.00`, '--yes']);
});

afterAll(async () => {
  connection.close();
  await world.dispose();
});

const valueOf = <T>(answer: Answer<T>): T => {
  if (!answer.ok) throw new Error(answer.reason);
  return answer.value;
};

async function tokenOf({ email }: Person): Promise<string> {
  const request = { email, password, client: 'test', deviceToken: '' };
  const signedIn = valueOf(await connection.call(AuthServiceService.signIn, request));
  return signedIn.tokens!.accessToken;
}

/** Every message of a server stream, or the code with which it was refused. */
async function stream<Req, Res>(
  method: MethodDefinition<Req, Res>,
  request: Req,
  token: string,
): Promise<Res[] | number> {
  const client = new Client(world.daemon().address, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  const { path, requestSerialize, responseDeserialize } = method;
  try {
    const all: Res[] = [];
    const call = client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      metadata,
    );
    for await (const message of call) all.push(message as Res);
    return all;
  } catch (err) {
    return (err as { code: number }).code;
  } finally {
    client.close();
  }
}

const lines = () =>
  queryService<{ seq: string; amount: string }>(
    world.dataDir,
    'statement',
    'SELECT seq, amount FROM statement_lines ORDER BY wallet_id, seq',
  );

describe('a statement of a year', () => {
  it('a statement of a year is queued, written and downloaded, also after a kill', async () => {
    const token = await tokenOf(ana);
    const from = new Date(Date.now() - 365 * 86_400_000);
    const asked = valueOf(
      await connection.call(
        StatementServiceService.generateStatement,
        GenerateStatementRequest.fromPartial({ from }),
        token,
      ),
    );
    expect(asked.status).toBe(StatementStatus.QUEUED);
    const exportId = asked.export!.id;
    await world.kill();
    await world.start();
    connection.close();
    connection = connect(world.daemon().address);
    const again = await tokenOf(ana);
    const get = async () =>
      valueOf(await connection.call(StatementServiceService.getExport, { exportId }, again))
        .export!;
    await waitUntil('the export is done', async () => (await get()).status === ExportStatus.DONE);
    const file = await get();
    expect(file.rows).toBe(12n);
    const chunks = await stream(
      StatementServiceService.downloadExport,
      { exportId, offset: 0n },
      again,
    );
    if (typeof chunks === 'number') throw new Error(`code ${chunks}`);
    const bytes = Buffer.concat(chunks.map(({ data }) => data));
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(file.sha256);
    expect(bytes.toString().trim().split('\r\n')).toHaveLength(13);
  });

  it('an export by e-mail is refused without a mail server, with field email', async () => {
    const request = CreateExportRequest.fromPartial({ email: true });
    const refused = await connection.call(
      StatementServiceService.createExport,
      request,
      await tokenOf(ana),
    );
    expect(refused).toMatchObject({
      ok: false,
      reason: 'INVALID_ARGUMENT',
      metadata: { field: 'email' },
    });
  });
});

describe('damaged projections', () => {
  const tamper = async () => {
    await withClient((await readUrls(world.dataDir)).owner('statement'), async (client) => {
      await client.query('DELETE FROM statement_lines WHERE seq IN (3, 4)');
      await client.query('UPDATE statement_lines SET amount = amount + 1 WHERE seq = 7');
      await client.query('UPDATE statement_lines SET seq = 99 WHERE seq = 9');
    });
  };

  it('a damaged projection is repaired over gRPC by an admin, not by a customer', async () => {
    const before = await lines();
    await tamper();
    const method = StatementServiceService.rebuildProjection;
    expect(await stream(method, { walletId: undefined }, await tokenOf(ana))).toBe(7);
    const verified = await stream(
      StatementServiceService.verifyProjection,
      { walletId: undefined },
      await tokenOf(admin),
    );
    if (typeof verified === 'number') throw new Error(`code ${verified}`);
    const kinds = verified.flatMap(({ report }) =>
      report?.$case === 'finding' ? [report.value.kind] : [],
    );
    expect(kinds.sort()).toEqual([
      'line_altered',
      'line_extra',
      'line_missing',
      'line_missing',
      'line_missing',
    ]);
    const reported = await stream(method, { walletId: undefined }, await tokenOf(admin));
    if (typeof reported === 'number') throw new Error(`code ${reported}`);
    expect(reported.at(-1)).toEqual({ wallets: 1n, lines: 12n, repaired: 5n, done: true });
    expect(await lines()).toEqual(before);
  });

  it('a damaged projection is repaired on the host, with and without a daemon', async () => {
    const before = await lines();
    for (const isRunning of [true, false]) {
      await tamper();
      if (!isRunning) await world.stop();
      const done = await world.walletd(['statements', 'rebuild']);
      expectCode(done, 0);
      expect(done.stderr).toContain('12 lines of 1 wallets compared, 5 repaired');
      if (!isRunning) await world.start();
      expect(await lines()).toEqual(before);
    }
    expectCode(await world.walletd(['statements', 'rebuild', '--wallet', 'x']), 1);
  });

  it('StreamLedger refuses an admin with PERMISSION_DENIED', async () => {
    connection.close();
    connection = connect(world.daemon().address);
    const request = StreamLedgerRequest.fromPartial({});
    expect(await stream(WalletServiceService.streamLedger, request, await tokenOf(admin))).toBe(7);
  });
});
