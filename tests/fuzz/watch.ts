import { readdirSync, readFileSync } from 'node:fs';

import type { Daemon } from '../../scripts/product.ts';
import {
  Operation,
  WalletServiceService,
  type Wallet,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Mint } from '../access-matrix/forgeries.ts';
import { connect, item } from '../support/grpc/client.ts';
import { findFaults, queryService } from '../support/ledger/ledger.ts';
import type { Report } from './report.ts';

const everyMs = 100;
const answerMs = 20_000;
const settleMs = 60_000;

export type GoodClient = {
  /** Ends it; how many deposits of 1 were answered, each of them OK or reported as a violation. */
  stop(): Promise<{
    readonly deposits: number;
    readonly starved: number;
    readonly balanceMinor: bigint;
  }>;
};

/**
 * A client that sends a valid deposit each 100 ms, all of which must succeed. A daemon that got no
 * processor for seconds refuses calls, since its feed of revocations is stale. That is a fault of
 * the machine: the deposit is retried under its key, and counted as starved.
 */
export function startGoodClient(
  report: Report,
  daemon: Daemon,
  mint: Mint,
  userId: string,
): GoodClient {
  const client = connect(daemon.address);
  const starvation = watchStarvation(daemon.pid);
  let isStopped = false;
  let deposits = 0;
  let starved = 0;
  const run = async (): Promise<void> => {
    const token = await mint.tokenOf(userId, 'customer');
    let wanted = next();
    while (!isStopped) {
      const late = new Promise<'late'>((resolve) =>
        setTimeout(() => resolve('late'), answerMs).unref(),
      );
      const request = { item: wanted, dryRun: false };
      const call = client.call(WalletServiceService.createTransaction, request, token);
      const answer = await Promise.race([call, late]);
      const isStarved = answer !== 'late' && !answer.ok && answer.reason === 'AUTH_UNAVAILABLE';
      if (answer === 'late') report.violate('good client', undefined, 'no answer within 20 s');
      else if (answer.ok) deposits += 1;
      else if (isStarved && starvation.isStarved()) starved += 1;
      else report.violate('good client', undefined, `refused: ${answer.reason}`);
      if (answer === 'late' || answer.ok) wanted = next();
      await new Promise((resolve) => setTimeout(resolve, everyMs));
    }
  };
  const running = run();
  return {
    stop: async () => {
      isStopped = true;
      await running;
      starvation.stop();
      const token = await mint.tokenOf(userId, 'customer');
      const request = { userId: '', currency: 'BRL' };
      const answer = await client.call(WalletServiceService.getBalance, request, token);
      client.close();
      const wallet: Wallet | undefined = answer.ok ? answer.value.wallet : undefined;
      return { deposits, starved, balanceMinor: wallet?.balanceMinor ?? -1n };
    },
  };
}

const next = () => item({ operation: Operation.DEPOSIT, currency: 'BRL', amountMinor: 1n });

/**
 * Whether a process waited for a processor for a good part of the last seconds, as Linux counts it.
 */
function watchStarvation(pid: number): { isStarved(): boolean; stop(): void } {
  const waitedMs = (): number => {
    const text = readFileSync(`/proc/${pid}/schedstat`, 'utf8');
    return Number(text.split(' ')[1]) / 1e6;
  };
  const looks: number[] = [];
  const timer = setInterval(() => {
    try {
      looks.push(waitedMs());
    } catch {
      // Gone: the code that waits for its end reports that.
    }
    if (looks.length > 20) looks.shift();
  }, 500).unref();
  return {
    isStarved: () => (looks.at(-1) ?? 0) - (looks[0] ?? 0) > 2_000,
    stop: () => clearInterval(timer),
  };
}

const rssBytes = (pid: number): number => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * 1024;
};

const descriptors = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

export type Resources = {
  /** From here on growth counts. */
  setBaseline(): void;
  /** The last look, once everything has come to rest. */
  evaluate(): Promise<string>;
};

const maxGrowthBytes = 100 * 1024 * 1024;
const maxDescriptorsMore = 100;
/** A connection that is dead is noticed by keepalive at the latest: after 60 s, and 20 s more. */
const restMs = 120_000;
const megabytes = (bytes: number): string => `${Math.round(bytes / 1024 / 1024)} MB`;

/** Looks at what memory and descriptors the daemon holds, each half second. */
export function watchResources(report: Report, daemon: Daemon): Resources {
  const { pid } = daemon;
  const first = { bytes: 0, fds: 0 };
  const most = { bytes: 0, fds: 0 };
  const look = () => {
    const now = { bytes: rssBytes(pid), fds: descriptors(pid) };
    most.bytes = Math.max(most.bytes, now.bytes);
    most.fds = Math.max(most.fds, now.fds);
    return now;
  };
  const timer = setInterval(() => {
    try {
      look();
    } catch {
      // Gone: the code that waits for its end reports that.
    }
  }, 500).unref();
  const isAtRest = (now: { bytes: number; fds: number }): boolean =>
    now.bytes - first.bytes < maxGrowthBytes && now.fds - first.fds < maxDescriptorsMore;
  return {
    setBaseline: () => {
      Object.assign(first, look());
    },
    evaluate: async () => {
      const startedAt = Date.now();
      while (!isAtRest(look()) && Date.now() - startedAt < restMs) {
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
      clearInterval(timer);
      const now = look();
      if (now.bytes - first.bytes >= maxGrowthBytes) report.violate('memory', undefined, 'grew');
      if (now.fds - first.fds >= maxDescriptorsMore)
        report.violate('files', undefined, 'kept open');
      const after = `at rest after ${Math.round((Date.now() - startedAt) / 1000)} s`;
      return (
        `memory: ${megabytes(first.bytes)} at first, ${megabytes(most.bytes)} at most, ` +
        `${megabytes(now.bytes)} at last; descriptors: ${first.fds}, ${most.fds}, ${now.fds}; ${after}`
      );
    },
  };
}

/** The daemon may not end, and may not meet anything that it did not expect. */
export function watchDaemon(report: Report, daemon: Daemon): { evaluate(): void } {
  let isWatched = true;
  void daemon.exited.then((code) => {
    if (isWatched)
      report.violate('daemon', undefined, `ended with ${String(code)}`, daemon.log().slice(-4_000));
  });
  return {
    evaluate: () => {
      isWatched = false;
      for (const line of daemon.log().split('\n')) {
        const isBad =
          /"level":"(error|fatal)"|unexpected error|[Uu]ncaught|Unhandled|Warning:/.test(line);
        if (isBad) report.violate('log', undefined, nameOf(line), line);
      }
    },
  };
}

/** What a line of the log is about, without what differs from one to the next. */
function nameOf(line: string): string {
  const err = /"message":"([^"]*)"/.exec(line)?.[1] ?? '';
  const msg = /"msg":"([^"]*)"/.exec(line)?.[1] ?? line.slice(0, 100);
  return `${msg}: ${err}`.replaceAll(/[0-9a-f-]{36}|\d+/g, '#');
}

/** Whether every cent is where it belongs, once all messages have come through. */
export async function judgeLedger(report: Report, dataDir: string): Promise<string> {
  const endsAt = Date.now() + settleMs;
  let faults = await findFaults(dataDir);
  while (faults.length > 0 && Date.now() < endsAt) {
    await new Promise((resolve) => setTimeout(resolve, 500));
    faults = await findFaults(dataDir);
  }
  for (const fault of faults.slice(0, 10)) report.violate('ledger', undefined, fault);
  type Sums = { balances: string | null; entries: string | null; count: string };
  const [sums] = await queryService<Sums>(
    dataDir,
    'wallet',
    `SELECT (SELECT sum(balance) FROM wallets)::text AS balances,
       (SELECT sum(amount) FROM transactions)::text AS entries,
       (SELECT count(*) FROM transactions)::text AS count`,
  );
  if (sums?.balances !== sums?.entries) {
    report.violate('ledger', undefined, `balances ${sums?.balances}, entries ${sums?.entries}`);
  }
  return `ledger: ${sums?.count} transactions, sum of balances ${sums?.balances}, of entries ${sums?.entries}`;
}
