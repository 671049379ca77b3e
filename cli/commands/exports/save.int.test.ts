import { createHash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  Export,
  ExportFormat,
  ExportStatus,
  type DownloadExportRequest,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { watchDisk } from '../../../tests/support/files/crashing-disk.ts';
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
const content = Buffer.from(Array.from({ length: 4_000 }, (_, i) => `line ${i}\n`).join(''));
const half = content.length >> 1;

let cli: Cli;
let server: FakeServer;
let folder: string;
let file: string;
/** Where each stream was begun. */
let offsets: number[];
/** The bytes that a stream sends, from an offset on, by the number of the stream. */
let send: (offset: number, stream: number) => AsyncIterable<Buffer>;

async function* bytesOf(...parts: readonly Buffer[]): AsyncGenerator<Buffer> {
  for (const part of parts) yield await Promise.resolve(part);
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-save-'));
  file = join(folder, 'f.csv');
  offsets = [];
  send = (offset) => bytesOf(content.subarray(offset));
  server = await startFakeServer({
    getExport: () => ({
      export: Export.fromPartial({
        ...{ id, userId, walletId, currency: 'BRL', timezone: 'UTC', format: ExportFormat.CSV },
        ...{ status: ExportStatus.DONE, bytes: BigInt(content.length) },
        sha256: createHash('sha256').update(content).digest('hex'),
      }),
    }),
    downloadExport: async function* ({ offset }: DownloadExportRequest) {
      offsets.push(Number(offset));
      for await (const data of send(Number(offset), offsets.length)) yield { data };
    },
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
  await rm(folder, { recursive: true, force: true });
});

const download = (...args: readonly string[]) =>
  cli.run(['exports', 'download', id, '--file', file, '--timeout', '1s', ...args]);
const partial = () => readFile(`${file}.partial`);

describe('a download that is cut off', () => {
  test('a stream that ends early without an error is resumed', async () => {
    send = (offset, stream) => bytesOf(content.subarray(offset, stream === 1 ? half : undefined));
    expect(await download()).toMatchObject({ exitCode: 0 });
    expect(offsets).toEqual([0, half]);
    expect(await readFile(file)).toEqual(content);
    expect(await readdir(folder)).toEqual(['f.csv']);
  });

  test('a stream that never brings the rest is a failure, and what came is kept', async () => {
    send = (offset) => bytesOf(content.subarray(offset, half));
    const ran = await download();
    expect(ran.exitCode).toBe(7);
    expect(ran.err).toContain(`wallet exports download ${id}`);
    expect(await readdir(folder)).toEqual(['f.csv.partial']);
    expect(await partial()).toEqual(content.subarray(0, half));
  });

  test('a stream that falls silent is a failure, and what came is kept', async () => {
    send = async function* (offset) {
      yield content.subarray(offset, half);
      await sleep(60_000, undefined, { ref: false });
    };
    expect(await download()).toMatchObject({ exitCode: 7 });
    expect(await partial()).toEqual(content.subarray(0, half));
  });

  test('a file that is cut off on stdout is a failure', async () => {
    send = (offset) => bytesOf(content.subarray(offset, half));
    const ran = await download('--file', '-');
    expect(ran.exitCode).toBe(7);
    expect(ran.out).toBe(content.subarray(0, half).toString());
  });

  test('a refusal that does not pass ends the download at once', async () => {
    send = (offset, stream) =>
      stream === 1
        ? bytesOf(content.subarray(offset, half))
        : (async function* () {
            yield await Promise.reject<Buffer>(refusal('EXPORT_EXPIRED', 'it is gone'));
          })();
    const ran = await download();
    expect(ran.exitCode).toBe(6);
    expect(ran.err).toContain('EXPORT_EXPIRED');
    expect(offsets).toHaveLength(2);
  });
});

describe('a download with other content', () => {
  const wrong = Buffer.from(content);
  wrong[half] = 0x20;

  test('a file with one wrong byte is fetched again, and gets no name if that is wrong too', async () => {
    send = (offset) => bytesOf(wrong.subarray(offset));
    const ran = await download();
    expect(ran.exitCode).toBe(1);
    expect(ran.err).toContain('STATEMENT_MISMATCH');
    expect(offsets).toEqual([0, 0]);
    expect(await readdir(folder)).toEqual(['f.csv.partial']);
    expect(await partial()).toHaveLength(0);
  });

  test('a wrong file on stdout is a failure', async () => {
    send = (offset) => bytesOf(wrong.subarray(offset));
    const ran = await download('--file', '-');
    expect(ran.exitCode).toBe(1);
    expect(ran.err).toContain('STATEMENT_MISMATCH');
  });

  test('more bytes than the export has are a failure', async () => {
    send = (offset) => bytesOf(Buffer.concat([content.subarray(offset), Buffer.from('more')]));
    expect((await download()).exitCode).toBe(1);
    expect(await readdir(folder)).toEqual(['f.csv.partial']);
  });

  test.each([
    ['of another file', wrong.subarray(0, half + 10), [half + 10, 0]],
    ['that is too long', Buffer.concat([content, content]), [0]],
    ['of the same file', content.subarray(0, half), [half]],
  ])('a partial file %s ends as the right file', async (_what, left, begun) => {
    await writeFile(`${file}.partial`, left, { mode: 0o600 });
    expect(await download()).toMatchObject({ exitCode: 0 });
    expect(await readFile(file)).toEqual(content);
    expect(offsets).toEqual(begun);
  });
});

describe('the file of a download', () => {
  test('a file that came meanwhile is not replaced, and what was fetched is kept', async () => {
    send = async function* (offset) {
      await writeFile(file, 'precious');
      yield content.subarray(offset);
    };
    const ran = await download();
    expect(ran.exitCode).toBe(2);
    expect(await readFile(file, 'utf8')).toBe('precious');
    expect(await partial()).toEqual(content);
  });

  test('a file is flushed before it gets its name, and its name after that', async () => {
    const disk = await watchDisk(folder);
    try {
      expect(await download()).toMatchObject({ exitCode: 0 });
    } finally {
      await disk.restore();
    }
    const flushes = disk.operations.filter(({ method }) => method === 'sync');
    expect(flushes).toMatchObject([
      { file: 'f.csv.partial', names: ['f.csv.partial'] },
      { file: 'folder', names: ['f.csv'] },
    ]);
    const last = disk.operations.findLastIndex(({ method }) => method === 'write');
    expect(disk.operations.findIndex(({ method }) => method === 'sync')).toBeGreaterThan(last);
  });
});
