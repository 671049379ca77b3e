import { StatementServiceService } from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { WalletServiceService } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { connect } from '../../tests/support/grpc/client.ts';
import { checkLedger } from '../support/check.ts';
import { perTransaction, watchBusy } from '../support/cpu.ts';
import { fill } from '../support/fill.ts';
import { startProduct, userIdOf, type Product } from '../support/product.ts';
import { median, runRounds, type Measure } from '../support/rounds.ts';
import { evaluate, type Bench, type ResultRow, type Row } from '../support/row.ts';

const smallRows = 10_000;
const largeRows = 5_000_000;
const quickRows = 50_000;
const entriesPerWallet = 5;
/** One wallet has a tenth of all entries, spread over a year. */
const busyShare = 0.1;
/** Lines of its page; it has a few more even among few rows, in the days that are read. */
const busyPageSize = 30;

type Filled = { readonly product: Product; readonly wallets: number };
type Reader = (user: string) => Promise<void>;

/** Balances and first statement pages: of any wallet, and of one that is used a great deal. */
export const readRow: Row = {
  id: 'read',
  run: async (bench) => {
    const opened: Filled[] = [];
    try {
      const large = bench.isQuick ? quickRows : largeRows;
      for (const rows of [smallRows, large]) opened.push(await open(bench, rows));
      const [before, after] = opened;
      if (!before || !after) throw new Error('nothing to read from');
      const from = `at ${large.toLocaleString('en')} rows beside ${smallRows.toLocaleString('en')}`;
      return [
        await compare(bench, [before, after], 'read-balance', `balance ${from}`),
        await compare(bench, [before, after], 'read-statement', `first statement page ${from}`),
        await compare(bench, [before, after], 'read-busy-balance', 'the same of a busy wallet'),
        await compare(
          ...([bench, [before, after] as const, 'read-busy-statement'] as const),
          `the same of a busy wallet, ${busyPageSize} lines a page`,
        ),
      ];
    } finally {
      for (const { product } of opened) await product.stop();
    }
  },
};

async function open(bench: Bench, rows: number): Promise<Filled> {
  const wallets = Math.round((rows * (1 - busyShare)) / entriesPerWallet) + 1;
  const product = await startProduct(bench.server, `read-${rows}`, { users: wallets });
  try {
    const count = await fill(bench.server, product, {
      wallets,
      entriesOf: (n) => (n === 0 ? rows * busyShare : entriesPerWallet),
      daysOf: (n) => (n === 0 ? 365 : 10),
    });
    await checkLedger(bench.server, product, BigInt(count));
    bench.note(`read: ${count.toLocaleString('en')} entries are there`);
    return { product, wallets };
  } catch (err) {
    await product.stop();
    throw err;
  }
}

/** Median times of one call after the other, in milliseconds. */
async function compare(
  bench: Bench,
  [before, after]: readonly [Filled, Filled],
  id: string,
  what: string,
): Promise<ResultRow> {
  const isBusy = id.includes('busy');
  const kind = id.endsWith('balance') ? 'balance' : 'statement';
  const tries = bench.isQuick ? 20 : 500;
  const measure = (filled: Filled) => measureReads(filled, kind, isBusy, tries);
  const measured = await runRounds(
    bench.rounds,
    () => measure(before),
    () => measure(after),
  );
  return evaluate({ id, what, unit: 'ms, p50' }, measured, { atMost: 1.5 });
}

async function measureReads(
  { product, wallets }: Filled,
  kind: 'balance' | 'statement',
  isBusy: boolean,
  tries: number,
): Promise<Measure> {
  const client = connect(product.address);
  const token = await product.signIn();
  const readers: Readonly<Record<typeof kind, Reader>> = {
    balance: async (userId) => {
      const request = { userId, currency: 'BRL', at: undefined };
      const answer = await client.call(WalletServiceService.getBalance, request, token);
      if (!answer.ok || (answer.value.wallet?.balanceMinor ?? 0n) < 999_999_900n) {
        throw new Error('a balance is not what was filled in');
      }
    },
    statement: async (userId) => {
      const request = {
        userId,
        currency: 'BRL',
        from: undefined,
        to: undefined,
        timezone: 'UTC',
        pageSize: isBusy ? busyPageSize : 0,
        pageToken: '',
        operations: [],
        descending: false,
      };
      const answer = await client.call(StatementServiceService.generateStatement, request, token);
      const lines = answer.ok ? (answer.value.statement?.lines.length ?? 0) : 0;
      if (lines !== (isBusy ? busyPageSize : entriesPerWallet)) {
        throw new Error(`a statement has ${lines} lines${answer.ok ? '' : `: ${answer.reason}`}`);
      }
    },
  };
  const times: number[] = [];
  const read = async (): Promise<void> => {
    const user = userIdOf(isBusy ? 0 : 1 + Math.floor(Math.random() * (wallets - 1)));
    const startedAt = performance.now();
    await readers[kind](user);
    times.push(performance.now() - startedAt);
  };
  try {
    // The first few connect and warm up.
    for (let i = 0; i < 20; i += 1) await read();
    times.length = 0;
    const cpuBefore = await product.systemCpuMicros();
    const readBusy = await watchBusy();
    for (let i = 0; i < tries; i += 1) await read();
    const busyPercent = await readBusy();
    const cpuMicros = perTransaction(cpuBefore, await product.systemCpuMicros(), tries);
    return { value: median(times), cpuMicros, busyPercent };
  } finally {
    client.close();
  }
}
