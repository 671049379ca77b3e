import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from 'vitest';

import {
  Export,
  ExportFormat,
  ExportStatus,
  type DownloadExportRequest,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  createCli,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  walletId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const id = '7b0c1f52-6a0e-5a59-9d5c-2f6f1f0c9a11';
const content = Buffer.from('0123456789'.repeat(1_000));
const { RUNNING, DONE, INCONSISTENT } = ExportStatus;

let cli: Cli;
let server: FakeServer;
let folder: string;
let file: string;
/** What GetExport answers, one after the other; the last for ever. */
let answers: Partial<Export>[];
/** What it has answered last. */
let current: Partial<Export>;
/** What is stored of the file while it is being written, after each look at it. */
let stored: Buffer;
let downloads: [offset: number, isUnfinished: boolean][];
let isOldServer: boolean;

const running = (rowsDone: bigint) => ({ status: RUNNING, rows: 10n, rowsDone });
const finished = {
  ...{ status: DONE, rows: 10n, rowsDone: 10n, bytes: BigInt(content.length) },
  sha256: createHash('sha256').update(content).digest('hex'),
};

function* download({ offset, unfinished = false }: DownloadExportRequest) {
  downloads.push([Number(offset), unfinished]);
  const isDone = current.status === DONE;
  if (!isDone && (!unfinished || isOldServer)) throw refusal('EXPORT_NOT_READY', 'not written yet');
  const data = (isDone ? content : stored).subarray(Number(offset));
  if (data.length > 0) yield { data };
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-unfinished-'));
  file = join(folder, 'f.csv');
  [downloads, isOldServer, stored] = [[], false, content.subarray(0, 4_000)];
  answers = [running(0n), running(4n), running(4n), running(4n), finished];
  const base = {
    ...{ id, userId, walletId, currency: 'BRL', timezone: 'UTC', format: ExportFormat.CSV },
    ...{ from: new Date('2026-01-01'), to: new Date('2026-02-01') },
  };
  server = await startFakeServer({
    createExport: () => ({ export: Export.fromPartial(base), replayed: false }),
    getExport: () => {
      current = (answers.length > 1 ? answers.shift() : answers[0]) ?? {};
      return { export: Export.fromPartial({ ...base, ...current }) };
    },
    downloadExport: download,
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
  await rm(folder, { recursive: true, force: true });
});

const run = () => cli.run(['statement', 'export', '--from', '2026-01-01', '--file', file]);

test('what is stored of an export is fetched while it is being written, the rest at its end', async () => {
  expect(await run()).toMatchObject({ exitCode: 0 });
  expect(await readFile(file)).toEqual(content);
  expect(downloads.slice(0, 2)).toEqual([
    [0, true],
    [4_000, true],
  ]);
  expect(downloads.at(-1)).toEqual([4_000, false]);
  expect(await readdir(folder)).toEqual(['f.csv']);
});

test('exports download --wait fetches what is stored, too', async () => {
  const ran = await cli.run(['exports', 'download', id, '--wait', '--file', file]);
  expect(ran).toMatchObject({ exitCode: 0 });
  expect(downloads[0]).toEqual([0, true]);
  expect(await readFile(file)).toEqual(content);
});

test('a server that stores nothing that can be fetched yet is waited for', async () => {
  isOldServer = true;
  expect(await run()).toMatchObject({ exitCode: 0, err: '' });
  expect(downloads.at(-1)).toEqual([0, false]);
  expect(await readFile(file)).toEqual(content);
});

test('what another attempt stored is replaced by the file that was finished', async () => {
  stored = Buffer.from('x'.repeat(4_000));
  const ran = await run();
  expect(ran).toMatchObject({ exitCode: 0 });
  expect(ran.err).toContain('starting again');
  expect(await readFile(file)).toEqual(content);
});

test('an export that becomes inconsistent leaves no file, and no part of one', async () => {
  answers = [running(4n), running(4n), { status: INCONSISTENT, failure: 'line 5 was changed' }];
  const ran = await run();
  expect(ran).toMatchObject({ exitCode: 10 });
  expect(ran.err).toContain('line 5 was changed');
  expect(downloads).toContainEqual([0, true]);
  expect(await readdir(folder)).toEqual([]);
});

test('nothing unfinished goes to standard output', async () => {
  const ran = await cli.run(['statement', 'export', '--from', '2026-01-01', '--file', '-']);
  expect(ran).toMatchObject({ exitCode: 0, out: content.toString() });
  expect(downloads).toEqual([[0, false]]);
});
