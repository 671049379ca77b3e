import { checkLedger } from '../support/check.ts';
import { fund, measureLoad } from '../support/generator.ts';
import type { Job } from '../support/jobs.ts';
import { startProduct } from '../support/product.ts';
import { runRounds } from '../support/rounds.ts';
import { evaluate, type Row } from '../support/row.ts';

const wallets = 10_000;
type Kind = Job['kind'];

/** A load over HTTP, and over gRPC the one that it stands beside: on the same daemon in turn. */
const createHttpRow = (
  id: string,
  kinds: { readonly http: Kind; readonly grpc: Kind },
  what: string,
  atLeast: number,
): Row => ({
  id,
  run: async (bench) => {
    const { server } = bench;
    const env = { WALLETD_HTTP_LISTEN: '127.0.0.1:0' };
    const product = await startProduct(server, id, { users: wallets, env });
    try {
      await fund(product, wallets);
      let expected = BigInt(wallets);
      const measure = async (kind: Kind, prefix: string) => {
        const load = await measureLoad(bench, product, { kind, prefix, wallets });
        expected += BigInt(load.done);
        await checkLedger(server, product, expected);
        return load.measure;
      };
      const measured = await runRounds(
        bench.rounds,
        (round) => measure(kinds.grpc, `${id}-base ${round}`),
        (round) => measure(kinds.http, `${id} ${round}`),
      );
      return [evaluate({ id, what, unit: 'transactions/s' }, measured, { atLeast })];
    } finally {
      await product.stop();
    }
  },
});

/** POST /v1/transactions beside CreateTransaction, 64 in flight each. */
export const httpRow = createHttpRow(
  'http',
  { http: 'http', grpc: 'unary' },
  'POST /v1/transactions, 64 connections',
  0.9,
);

const batchOf = 'POST /v1/transactions/batch, 1,000 items each';

/** POST /v1/transactions/batch beside StreamTransactions, 6 of 1,000 items under way each. */
export const httpBatchRow = createHttpRow(
  'http-batch',
  { http: 'http-batch', grpc: 'stream' },
  `${batchOf}, JSON`,
  0.5,
);

export const httpNdjsonRow = createHttpRow(
  'http-ndjson',
  { http: 'http-ndjson', grpc: 'stream' },
  `${batchOf}, NDJSON`,
  0.5,
);
