import { connect as connectTcp } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { Client } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import {
  DownloadExportRequest,
  GenerateStatementRequest,
  StatementServiceService,
  StatementStatus,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  CreateTransactionRequest,
  Operation,
  WalletServiceService,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Daemon } from '../../../scripts/product.ts';
import {
  createDrainStage,
  makeExport,
  type DrainStage,
  type Door,
} from '../../support/processes/drain-stage.ts';
import { item } from '../../support/grpc/client.ts';
import { openStream, outcomeOf, type OpenStream } from '../../support/grpc/stream.ts';

let stage: DrainStage;

beforeAll(async () => {
  stage = await createDrainStage();
}, 120_000);
afterAll(() => stage.dispose());

const depositTo = (userId: string) =>
  item({ userId, currency: 'BRL', operation: Operation.DEPOSIT, amountMinor: 100n });
const createRequest = (userId: string) =>
  CreateTransactionRequest.fromPartial({ item: depositTo(userId) });

/** Lines of the log that an operator would look at. */
const troubles = (daemon: Daemon): string[] =>
  daemon
    .log()
    .split('\n')
    .filter((line) => /"level":(?:"(?:warn|error|fatal)"|[456]0)/.test(line));

/** A stream with one item answered, so that the server has begun on it. */
async function openIdle(daemon: Daemon, door: Door, token: string): Promise<OpenStream> {
  const stream = openStream(daemon.address, token, stage.channel(door));
  stream.send([depositTo('')]);
  await stream.waitFor(1);
  return stream;
}

describe.each(['plaintext', 'TLS'] as const)('SIGTERM to a daemon with %s', (door) => {
  it('SIGTERM lets all calls in flight be answered, and ends idle streams at once', async () => {
    const daemon = await stage.start(door);
    const call = (method: object, request: object, token: string) =>
      stage.call(daemon, door, method, request, token);
    const ana = await stage.signUp(daemon, door, `ana-${door.toLowerCase()}`);
    const bia = await stage.signUp(daemon, door, `bia-${door.toLowerCase()}`);
    const olga = await stage.operator(daemon, door, `olga-${door.toLowerCase()}`);
    const busy = await openIdle(daemon, door, ana.token);
    const idle = await openIdle(daemon, door, ana.token);
    const made = await makeExport(stage, daemon, door, ana);

    stage.server.freeze();
    const { createTransaction } = WalletServiceService;
    const { generateStatement, downloadExport } = StatementServiceService;
    const statement = GenerateStatementRequest.fromPartial({ currency: 'BRL' });
    const download = DownloadExportRequest.fromPartial({ exportId: made.id });
    const inFlight = Promise.all([
      call(createTransaction, createRequest(''), ana.token),
      // To a user without a wallet: the auth service is asked who that is.
      call(createTransaction, createRequest(bia.id), olga),
      call(generateStatement, statement, ana.token),
      call(downloadExport, download, ana.token),
    ]);
    for (let i = 0; i < 3; i += 1) busy.send([depositTo(''), depositTo('')]);
    await sleep(500);
    daemon.kill('SIGTERM');
    // Nothing else has been answered yet.
    const idleEnd = await idle.ended;
    await sleep(700);
    stage.server.thaw();

    const answers = await inFlight;
    const statuses = answers.map(({ reason }) => reason);
    expect({ idleEnd, statuses }).toEqual({
      idleEnd: 'SHUTTING_DOWN',
      statuses: ['', '', '', ''],
    });
    expect(answers[2].messages[0]).toMatchObject({ status: StatementStatus.COMPLETE });
    const bytes = (answers[3].messages as { data: Uint8Array }[]).map(({ data }) => data.length);
    expect(bytes.reduce((sum, n) => sum + n, 0)).toBe(Number(made.bytes));
    expect(await busy.ended).toBe('SHUTTING_DOWN');
    expect(busy.results.map(outcomeOf)).toEqual(Array.from({ length: 7 }, () => 'done'));
    expect(await daemon.exited).toBe(0);
    expect(troubles(daemon)).toEqual([]);
    busy.close();
    idle.close();
  });

  it('SIGTERM is not delayed by idle connections and streams', async () => {
    const daemon = await stage.start(door);
    const caio = await stage.signUp(daemon, door, `caio-${door.toLowerCase()}`);
    const idle = await openIdle(daemon, door, caio.token);
    const unused = openStream(daemon.address, caio.token, stage.channel(door));
    const client = new Client(daemon.address, stage.channel(door));
    const watch = client.makeServerStreamRequest(
      '/grpc.health.v1.Health/Watch',
      () => Buffer.alloc(0),
      (bytes) => bytes,
      {},
    );
    const seen: string[] = [];
    watch.on('data', (bytes: Buffer) => seen.push(bytes.toString('hex')));
    const watchEnded = new Promise<number>((resolve) =>
      watch.on('error', (err) => resolve((err as { code?: number }).code ?? -1)),
    );
    const [host = '', port = ''] = daemon.address.split(':');
    const silent = connectTcp(Number(port), host);
    silent.on('error', () => undefined);
    await sleep(300);
    daemon.kill('SIGTERM');
    expect(await Promise.all([idle.ended, unused.ended])).toEqual([
      'SHUTTING_DOWN',
      'SHUTTING_DOWN',
    ]);
    expect(await watchEnded).toBe(14);
    // SERVING, then NOT_SERVING.
    expect(seen).toEqual(['0801', '0802']);
    expect(await daemon.exited).toBe(0);
    expect(troubles(daemon)).toEqual([]);
    client.close();
    silent.destroy();
    idle.close();
    unused.close();
  });
});
