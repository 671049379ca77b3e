import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Server, ServerCredentials, type handleBidiStreamingCall } from '@grpc/grpc-js';
import { parse } from 'csv-parse/sync';

import {
  AuthServiceService,
  type ResolveUsersRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  WalletServiceService,
  type StreamTransactionsRequest,
  type StreamTransactionsResponse,
  type Transaction,
  type TransactionItem,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createCli, created, fakeToken, refusal, userId, type Cli } from '../../test-support.ts';

/** A ledger in memory behind the product's contract, and a command line that is signed in to it. */
export type BatchWorld = {
  readonly folder: string;
  readonly cli: Cli;
  /** Every payment, in order. */
  readonly payments: readonly TransactionItem[];
  /** Amounts above it are refused. */
  fundsMinor: bigint;
  mayLookUp: boolean;
  /** A dry run has room for so many items of a message. */
  dryRunLimit: number;
  /** How often users were looked up. */
  lookUps: number;
  run(rows: readonly string[], args: readonly string[], options?: RunOptions): Promise<BatchRan>;
  runFile(text: string | Buffer, args: readonly string[], options?: RunOptions): Promise<BatchRan>;
  close(): Promise<void>;
};

type RunOptions = NonNullable<Parameters<Cli['run']>[1]>;

type BatchRan = Awaited<ReturnType<Cli['run']>> & {
  readonly results: readonly Readonly<Record<string, string>>[];
};

export const header = 'operation,amount,user,description';

/** Users by their addresses. */
const ids: Readonly<Record<string, string>> = {
  'ana@example.com': '0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10',
  'bia@example.com': '1b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a11',
};

const pastLimit = {
  $case: 'refusal' as const,
  value: {
    reason: 'INVALID_ARGUMENT',
    message: 'a dry run remembers at most 3 items',
    metadata: { field: 'items', limit: '3' },
  },
};

/** StreamTransactions of a ledger in memory: each key once. */
function createStream(
  of: () => Pick<BatchWorld, 'fundsMinor' | 'dryRunLimit'>,
  payments: TransactionItem[],
) {
  const byKey = new Map<string, Transaction>();
  const pay = (item: TransactionItem, isDryRun: boolean) => {
    if ((item.amountMinor ?? 0n) > of().fundsMinor) {
      const value = { reason: 'INSUFFICIENT_FUNDS', message: 'too little', metadata: {} };
      return { $case: 'refusal' as const, value };
    }
    const earlier = byKey.get(item.idempotencyKey);
    const { transaction } = created({ item, dryRun: isDryRun });
    const made = { ...(earlier ?? transaction), id: earlier?.id ?? randomUUID() } as Transaction;
    if (!earlier && !isDryRun) {
      byKey.set(item.idempotencyKey, made);
      payments.push(item);
    }
    const value = { transaction: made, replayed: earlier !== undefined };
    return { $case: 'created' as const, value };
  };
  const stream: handleBidiStreamingCall<StreamTransactionsRequest, StreamTransactionsResponse> = (
    call,
  ) => {
    call.on('data', ({ items, dryRun }: StreamTransactionsRequest) => {
      if (items.length === 0) return void call.write({ results: [], ledgerPosition: '1' });
      const decide = (item: TransactionItem, i: number) =>
        dryRun && i >= of().dryRunLimit ? pastLimit : pay(item, dryRun);
      call.write({ results: items.map((item, i) => ({ index: i, outcome: decide(item, i) })) });
    });
    call.on('end', () => call.end());
  };
  return stream;
}

export async function createBatchWorld(): Promise<BatchWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'wallet-batch-'));
  const payments: TransactionItem[] = [];
  const stream = createStream(() => world, payments);
  const server = new Server();
  server.addService(WalletServiceService, { streamTransactions: stream });
  server.addService(AuthServiceService, {
    getUser: (_call: unknown, answer: (error: null, value: object) => void) =>
      answer(null, { user: { id: userId, email: 'op@example.com', role: 2 } }),
    resolveUsers: (
      { request }: { readonly request: ResolveUsersRequest },
      answer: (error: Error | null, value?: object) => void,
    ) => {
      world.lookUps += 1;
      if (!world.mayLookUp) {
        answer(refusal('PERMISSION_DENIED', 'this needs the scope users:read'));
        return;
      }
      const emails = request.emails.filter((email) => ids[email] !== undefined);
      answer(null, { users: emails.map((email) => ({ id: ids[email], email, role: 1 })) });
    },
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const cli = await createCli({ WALLET_SERVER: `127.0.0.1:${port}`, WALLET_TOKEN: fakeToken() });
  const world: BatchWorld = {
    ...{
      folder,
      cli,
      payments,
      fundsMinor: 10n ** 9n,
      mayLookUp: true,
      lookUps: 0,
      dryRunLimit: 1_000,
    },
    run: (rows, args, options) => world.runFile(`${[header, ...rows].join('\n')}\n`, args, options),
    runFile: async (text, args, options) => {
      const file = join(folder, 'batch.csv');
      await writeFile(file, text);
      const ran = await cli.run(['batch', 'run', file, ...args], options);
      const results = await readFile(`${file}.results.csv`, 'utf8').catch(() => '');
      return { ...ran, results: parse(results, { columns: true }) };
    },
    close: async () => {
      server.forceShutdown();
      await cli.remove();
      await rm(folder, { recursive: true, force: true });
    },
  };
  return world;
}
