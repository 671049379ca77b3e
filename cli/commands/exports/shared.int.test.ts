import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  Export,
  ExportFormat,
  ExportStatus,
  type CreateExportRequest,
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
const content = Buffer.from('date,transaction_id\r\n');

let cli: Cli;
let server: FakeServer;
let folder: string;
let requests: CreateExportRequest[];
/** What GetExport answers, one after the other; the last for ever. */
let answers: Partial<Export>[];
let creation: 'made' | 'lost once' | 'refused';

const base = {
  id,
  userId,
  walletId,
  currency: 'BRL',
  from: new Date('2026-01-01T03:00:00Z'),
  to: new Date('2026-02-01T03:00:00Z'),
  timezone: 'America/Sao_Paulo',
  locale: 'en',
  format: ExportFormat.CSV,
  status: ExportStatus.QUEUED,
  requestedBy: userId,
  createdAt: new Date('2026-02-01T12:00:00Z'),
};
const finished = {
  status: ExportStatus.DONE,
  rows: 0n,
  bytes: BigInt(content.length),
  sha256: createHash('sha256').update(content).digest('hex'),
};

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-exports-'));
  requests = [];
  answers = [finished];
  creation = 'made';
  server = await startFakeServer({
    createExport: (request: CreateExportRequest) => {
      requests.push(request);
      if (creation === 'refused') return refusal('INVALID_ARGUMENT', 'no', { field: 'email' });
      if (creation === 'lost once' && requests.length === 1) {
        return refusal('OUTCOME_UNKNOWN', 'who knows');
      }
      return { export: Export.fromPartial(base), replayed: requests.length > 1 };
    },
    getExport: () => {
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      return { export: Export.fromPartial({ ...base, ...answer }) };
    },
    listExports: () => ({ exports: [Export.fromPartial(base)], nextPageToken: '' }),
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
  await rm(folder, { recursive: true, force: true });
});

describe('file names from answers', () => {
  test.each([
    ['currency', { currency: '/../../x' }],
    ['currency', { currency: '../../../tmp/owned' }],
    ['currency', { currency: 'BRL\u001b[2J' }],
    ['time zone', { timezone: '../../x' }],
    ['times', { from: new Date(-8.64e15) }],
  ])('an export with an unsafe %s names no file: %j', async (_what, answer) => {
    answers = [{ ...finished, ...answer }];
    const ran = await cli.run(['exports', 'download', id]);
    expect(ran.exitCode).toBe(1);
    expect(ran.err).toContain('UNEXPECTED');
    expect(ran.err).toContain('--file');
    expect(ran.err).not.toContain('\u001b');
  });

  test('an export id that is not a UUID is not printed as part of a command', async () => {
    answers = [{ ...finished, id: 'x; rm -rf ~' }];
    const ran = await cli.run(['exports', 'download', id]);
    expect(ran.exitCode).toBe(1);
    expect(ran.err).toContain('not a UUID');
    expect(ran.err).not.toContain('rm -rf');
  });
});

describe('statement export', () => {
  const range = ['--from', '2026-01-01', '--to', '2026-01-31', '--timezone', 'America/Sao_Paulo'];

  test('statement export sends its options; with --no-wait it ends with exit code 10', async () => {
    const more = ['--locale', 'pt-BR', '--bom', '--email', '--no-wait', '--json'];
    const ran = await cli.run(['statement', 'export', ...range, ...more]);
    expect(ran.exitCode).toBe(10);
    expect(requests[0]).toMatchObject({
      from: base.from,
      to: base.to,
      timezone: 'America/Sao_Paulo',
      format: ExportFormat.CSV,
      ...{ locale: 'pt-BR', byteOrderMark: true, email: true, dryRun: false },
    });
    expect(requests[0]?.idempotencyKey).not.toBe('');
    expect(JSON.parse(ran.out)).toEqual({
      ...{ id, userId, walletId, status: 'queued', currency: 'BRL', format: 'csv', locale: 'en' },
      from: '2026-01-01T00:00:00.000-03:00',
      to: '2026-02-01T00:00:00.000-03:00',
      ...{ timezone: 'America/Sao_Paulo', rows: 0, rowsDone: 0, requestedBy: userId },
      createdAt: '2026-02-01T12:00:00.000Z',
    });
    expect(ran.err).toContain(`wallet exports download ${id} --wait`);
  });

  test('an export of unknown outcome is requested again with its idempotency key', async () => {
    creation = 'lost once';
    const ran = await cli.run(['statement', 'export', ...range, '--no-wait', '--json']);
    expect(ran.exitCode).toBe(10);
    expect(requests).toHaveLength(2);
    expect(requests[0]?.idempotencyKey).toBe(requests[1]?.idempotencyKey);
  });

  test.each([
    ['year.json', ExportFormat.JSON],
    ['year.JSONL', ExportFormat.NDJSON],
    ['year.journal', ExportFormat.HLEDGER],
    ['year.csv', ExportFormat.CSV],
    ['year', ExportFormat.CSV],
  ])('the file name %s sets the export format', async (name, format) => {
    creation = 'refused';
    await cli.run(['statement', 'export', ...range, '--file', join(folder, name)]);
    expect(requests[0]?.format).toBe(format);
  });

  test('statement export -o hledger exports a journal', async () => {
    creation = 'refused';
    await cli.run(['statement', 'export', ...range, '-o', 'hledger']);
    expect(requests[0]?.format).toBe(ExportFormat.HLEDGER);
  });

  test.each([
    [['--format', 'pdf'], 'csv, json, ndjson, hledger'],
    [['--file', 'x.pdf'], '--format csv|json|ndjson|hledger'],
    [['--file', 'year.csv.gz'], '".gz"'],
    [['-o', 'hledger', '--format', 'csv'], 'exclude each other'],
    [['--locale', 'pt'], 'pt-BR'],
    [['--bom', '--format', 'json'], 'CSV only'],
    [['--file', 'x', '--no-wait'], 'exclude each other'],
    [['--file', ''], 'empty'],
    [['--file', tmpdir()], 'not a file that can be replaced'],
    [['--file', '/nowhere/at/all.csv'], 'the folder /nowhere/at does not exist'],
    [['--idempotency-key', ''], 'empty'],
  ])('statement export with %j ends with exit code 2 and sends nothing', async (args, text) => {
    const ran = await cli.run(['statement', 'export', ...range, ...args]);
    expect(ran.exitCode).toBe(2);
    expect(ran.err).toContain(text);
    expect(requests).toHaveLength(0);
  });

  test('a failed export ends with exit code 6 and the reason of its failure', async () => {
    const failed = { status: ExportStatus.FAILED, failure: 'the lines do not add up' };
    answers = [{}, { status: ExportStatus.RUNNING, rows: 9n, rowsDone: 3n }, failed];
    const file = join(folder, 'f.csv');
    const ran = await cli.run(['statement', 'export', ...range, '--file', file]);
    expect(ran).toMatchObject({ exitCode: 6, out: '' });
    expect(ran.err).toContain('the lines do not add up');
    expect(ran.err).toContain('EXPORT_NOT_READY');
  });
});

describe('exports', () => {
  test('exports list, show and wait report the status of an export', async () => {
    const more = { includeHolds: true, finishedAt: new Date('2026-02-01T12:00:05Z') };
    answers = [{ ...finished, ...more }];
    const data = await cli.run(['exports', 'show', id, '-o', 'csv']);
    const [titles = [], cells = []] = data.out.split('\r\n').map((line) => line.split(','));
    expect(cells[titles.indexOf('holds')]).toBe('true');
    expect(cells[titles.indexOf('finished_at')]).toBe('2026-02-01T12:00:05.000Z');
    const listed = await cli.run(['exports', 'list', '-o', 'csv']);
    expect(listed.out).toContain(`${id},queued,BRL,2026-01-01T00:00:00.000-03:00`);
    answers = [{ status: ExportStatus.EXPIRED }];
    const shown = await cli.run(['exports', 'show', id.toUpperCase()]);
    expect(shown.exitCode).toBe(0);
    expect(shown.out).toMatch(/status +expired/);
    expect((await cli.run(['exports', 'wait', id])).err).toContain('EXPORT_EXPIRED');
  });

  test('exports wait shows progress at a terminal, not in a pipe or with --json', async () => {
    const running = { status: ExportStatus.RUNNING, rows: 9n, rowsDone: 3n };
    answers = [running, finished];
    const seen = await cli.run(['exports', 'wait', id], { isTerminal: true });
    expect(seen.err).toContain('3 of 9 rows');
    answers = [running, finished];
    expect((await cli.run(['exports', 'wait', id])).err).toBe('');
    answers = [running, finished];
    const json = await cli.run(['exports', 'wait', id, '--json'], { isTerminal: true });
    expect(json.err).toBe('');
  });

  test('exports wait prints the reason of a delay once, but not with --quiet', async () => {
    const failure = 'incomplete: the statement is 7 transactions behind';
    const queued = { status: ExportStatus.QUEUED, failure };
    const waits = [queued, queued, { status: ExportStatus.RUNNING }, queued, finished];
    answers = [...waits];
    const ran = await cli.run(['exports', 'wait', id]);
    expect(ran).toMatchObject({ exitCode: 0 });
    expect(ran.err).toBe(`note: not written yet: ${failure}; the server retries\n`);
    answers = [...waits];
    expect((await cli.run(['exports', 'wait', id, '--quiet'])).err).toBe('');
    const other = { ...queued, failure: 'the auth service is unavailable' };
    answers = [queued, other, finished];
    const both = await cli.run(['exports', 'wait', id], { isTerminal: true });
    expect(both.err).toContain('7 transactions behind');
    expect(both.err).toContain('the auth service is unavailable; the server retries');
  });

  test('exports download of an unfinished export ends with exit code 6', async () => {
    answers = [{}];
    const ran = await cli.run(['exports', 'download', id, '--file', join(folder, 'f.csv')]);
    expect(ran.exitCode).toBe(6);
    expect(ran.err).toContain('--wait');
  });

  test('a complete partial file becomes the export without another download', async () => {
    const file = join(folder, 'f.csv');
    await writeFile(`${file}.partial`, content);
    const ran = await cli.run(['exports', 'download', id, '--file', file, '--json']);
    expect(JSON.parse(ran.out)).toMatchObject({ id, file });
    expect(await readFile(file)).toEqual(content);
  });
});
