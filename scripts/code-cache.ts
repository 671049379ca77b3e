import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { Server, ServerCredentials, type handleUnaryCall } from '@grpc/grpc-js';

import {
  GetBalanceResponse,
  WalletStatus,
  WalletServiceService,
} from '../protos/gen/digitalwallet/wallet/v1/wallet.ts';

const run = promisify(execFile);

/**
 * Writes `dist/cli/run.cache`: the code of the functions that `wallet balance --json` runs, which are
 * those of most commands (decision 78).
 */
export async function writeCodeCache(): Promise<void> {
  const text = await readFile('dist/cli/run.js');
  if (text.some((byte) => byte > 0x7f)) throw new Error('run.js is not ASCII');
  const server = new Server();
  const getBalance: handleUnaryCall<unknown, GetBalanceResponse> = (_call, callback) => {
    const wallet = { currency: 'BRL', exponent: 2, status: WalletStatus.ACTIVE };
    callback(null, GetBalanceResponse.fromPartial({ wallet, asOf: new Date() }));
  };
  server.addService({ getBalance: WalletServiceService.getBalance }, { getBalance });
  const home = await mkdtemp(join(tmpdir(), 'wallet-build-'));
  try {
    const port = await promisify(server.bindAsync.bind(server))(
      '127.0.0.1:0',
      ServerCredentials.createInsecure(),
    );
    const hook = ['--import', 'tsx', '--import', './scripts/keep-code-cache.ts'];
    const command = ['dist/cli/main.js', 'balance', '--json'];
    const token = `x.${Buffer.from('{"sub":"x"}').toString('base64url')}.x`;
    const env = {
      ...{ PATH: process.env['PATH'], HOME: home, TZ: 'UTC', WALLET_TOKEN: token },
      WALLET_SERVER: `127.0.0.1:${port}`,
    };
    await run(process.execPath, [...hook, ...command], { env });
  } finally {
    server.forceShutdown();
    await rm(home, { recursive: true });
  }
}
