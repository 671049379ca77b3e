import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Metadata } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { TokenSet, User } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
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
const content = Buffer.from('0123456789'.repeat(30_000));
const half = 123_456;

let cli: Cli;
let server: FakeServer;
let folder: string;
let refreshes: number;
let downloads: { offset: bigint; token: string }[];
/** Tokens that are taken; whatever comes with another is refused. */
let valid: (token: string) => boolean;

const tokenOf = (n: number): string =>
  fakeToken(userId, { n, exp: Math.floor(Date.now() / 1_000) + 900 });
const tokenIn = ({ metadata }: { readonly metadata: Metadata }): string =>
  String(metadata.get('authorization')[0]).replace('Bearer ', '');

async function* send(offset: number, until: number) {
  for (let at = offset; at < until; at += 10_000) {
    yield { data: content.subarray(at, Math.min(at + 10_000, until)) };
    await Promise.resolve();
  }
}

/** The rest of the file; the first stream ends half-way, since its token does. */
async function* download({ offset }: DownloadExportRequest, token: string) {
  downloads.push({ offset, token });
  if (!valid(token)) throw refusal('TOKEN_EXPIRED', 'the token has expired');
  if (downloads.length > 1) {
    yield* send(Number(offset), content.length);
    return;
  }
  yield* send(0, half);
  throw refusal('TOKEN_EXPIRED', 'the token has expired');
}

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'wallet-download-'));
  [refreshes, downloads, valid] = [0, [], () => true];
  const tokens = (n: number) =>
    TokenSet.fromPartial({ accessToken: tokenOf(n), refreshToken: `refresh ${n}` });
  server = await startFakeServer({
    signIn: () => ({ tokens: tokens(0), user: User.fromPartial({ id: userId }) }),
    refreshSession: () => {
      refreshes += 1;
      return { tokens: tokens(refreshes) };
    },
    getExport: () => ({
      export: Export.fromPartial({
        ...{ id, userId, walletId, currency: 'BRL', timezone: 'UTC', format: ExportFormat.CSV },
        ...{ status: ExportStatus.DONE, bytes: BigInt(content.length) },
        sha256: createHash('sha256').update(content).digest('hex'),
      }),
    }),
    downloadExport: (request: DownloadExportRequest, call) => download(request, tokenIn(call)),
  });
  cli = await createCli({ WALLET_SERVER: server.address });
  const args = ['sign-in', '--email', 'ana@example.com', '--password-stdin', '--insecure-storage'];
  await cli.run(args, { stdin: 'right password\n' });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
  await rm(folder, { recursive: true, force: true });
});

describe('token expiry during a download', () => {
  test('a token that expires during a download is renewed, and the download resumes', async () => {
    const file = join(folder, 'f.csv');
    valid = (token) => token !== tokenOf(0) || downloads.length === 1;
    const ran = await cli.run(['exports', 'download', id, '--file', file]);
    expect(ran).toMatchObject({ exitCode: 0 });
    expect(await readFile(file)).toEqual(content);
    expect(refreshes).toBe(1);
    expect(downloads.map(({ offset }) => Number(offset))).toEqual([0, half]);
    expect(new Set(downloads.map(({ token }) => token)).size).toBe(2);
  });

  test('a download whose renewed token is refused ends, and keeps its partial file', async () => {
    const file = join(folder, 'f.csv');
    valid = () => downloads.length === 1;
    const ran = await cli.run(['exports', 'download', id, '--file', file]);
    expect(ran).toMatchObject({ exitCode: 4 });
    expect(ran.err).toContain('TOKEN_EXPIRED');
    expect(refreshes).toBe(1);
    expect(await readFile(`${file}.partial`)).toEqual(content.subarray(0, half));
  });
});
