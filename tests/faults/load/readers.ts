import {
  StatementServiceService,
  StatementStatus,
  type Statement,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Random } from '../../fuzz/random.ts';
import { walletIdOf } from '../../../core/ids.ts';
import { currency, meaningOf } from '../book.ts';
import type { LatencyClass } from '../latencies.ts';
import { between, pause, pickNode, randomOf, type Load } from './load.ts';
import type { ReportedBalance, ReportedStatement } from '../record/history.ts';
import { outcomeOfReason } from '../record/outcomes.ts';
import type { Node } from '../site/node.ts';
import type { Person } from '../site/people.ts';

/** What was reported once, and must be reported again. */
type Reported = {
  readonly person: Person;
  readonly at: Date;
  /** Of a statement; otherwise it is a balance as of `at`. */
  readonly from: Date | undefined;
  /** By the database's clock, when it was asked for. */
  readonly wasFuture: boolean;
  readonly text: string;
  readonly by: string;
  readonly readMs: number;
  againMs: number;
  /** Found once: not again. */
  hasChanged: boolean;
};

type Answer = { readonly text: string; readonly at: Date } | undefined;

export type Readers = {
  run(): Promise<void>;
  /** Everything once more. */
  rereadAll(): Promise<void>;
  readonly balances: number;
  readonly statements: number;
  readonly rereads: number;
};

const timeoutMs = 8_000;
const statementMs = 60_000;

/** Reads balances as of a time and statements of closed periods, and the same ones again later. */
export function createReaders(load: Load): Readers {
  const reported: Reported[] = [];
  let rereads = 0;

  const look = (random: Random): Promise<void> => {
    const person = random.pick(load.site.customers);
    const node = pickNode(load, random);
    // The database's clock may be 2 s behind or ahead of ours: a past for us may be its future.
    const at = new Date(Date.now() + between(random, [-4_000, 2_500]));
    const askedMs = Date.now() + load.site.clock.offsetSeconds * 1_000;
    const isStatement = random.chance(40);
    const from = isStatement ? new Date(at.getTime() - statementMs) : undefined;
    return read(load, node, person, at, from).then((answer) => {
      if (!answer) return;
      const againMs = performance.now() + between(random, load.timing.rereadMs);
      const wasFuture = answer.at.getTime() > askedMs;
      reported.push({
        ...{ person, from, wasFuture, at: answer.at, text: answer.text, by: node.name },
        ...{ readMs: performance.now(), againMs, hasChanged: false },
      });
    });
  };
  const reread = async (node: Node, before: Reported): Promise<boolean> => {
    const { person, at, from } = before;
    const answer = await read(load, node, person, at, from);
    // An honest "not yet", or an earlier time than was asked for, takes nothing back.
    if (answer?.at.getTime() !== at.getTime()) return false;
    rereads += 1;
    if (answer.text === before.text || before.hasChanged) return true;
    before.hasChanged = true;
    load.report.violate(...describeChange(load, before, answer.text, node));
    return true;
  };
  return {
    run: async () => {
      const reads: Promise<unknown>[] = [];
      for (let step = 0; !load.isOver(); step += 1) {
        const random = randomOf(load, 'reader', step);
        reads.push(random.chance(70) ? look(random) : lookNow(load, random));
        const now = performance.now();
        const due = reported.filter(({ againMs }) => againMs <= now).slice(0, 3);
        for (const before of due) {
          before.againMs = now + between(random, load.timing.rereadMs) * 4;
          reads.push(reread(pickNode(load, random), before));
        }
        await pause(load, between(random, [120, 280]));
      }
      await Promise.all(reads);
    },
    rereadAll: async () => {
      for (const [i, before] of reported.entries()) {
        const { nodes } = load.site;
        const node = nodes[i % nodes.length] ?? nodes[0];
        for (let tries = 0; !(await reread(node, before)); tries += 1) {
          if (tries === 5) {
            load.report.violate(...describeChange(load, before, 'no such answer any more', node));
            break;
          }
          await new Promise((resolve) => setTimeout(resolve, 500));
        }
      }
    },
    get balances() {
      return reported.filter(({ from }) => from === undefined).length;
    },
    get statements() {
      return reported.filter(({ from }) => from !== undefined).length;
    },
    get rereads() {
      return rereads;
    },
  };
}

/** A balance of now has its place among the transactions, and is not looked at again. */
async function lookNow(load: Load, random: Random): Promise<void> {
  await readBalance(load, pickNode(load, random), random.pick(load.site.customers));
}

/** What must never change once reported: a balance as of a past time, or a complete statement. */
async function read(
  load: Load,
  node: Node,
  person: Person,
  at: Date,
  from: Date | undefined,
): Promise<Answer> {
  const fromMs = performance.now();
  const answer = await (from
    ? readStatement(load, node, person, from, at)
    : readBalance(load, node, person, at));
  const situation = load.timeline.situationOf({
    fromMs,
    toMs: performance.now(),
    walletId: walletIdOf(person.id, currency),
    daemons: new Set([node.name]),
  });
  const of: LatencyClass = from ? 'statements' : 'reads';
  load.latencies.record(of, situation, performance.now() - fromMs);
  if (typeof answer !== 'string') return answer;
  load.latencies.refused(of, situation);
  const what = `${from ? 'a statement' : 'a balance'} of ${person.id} as of ${at.toISOString()}`;
  const asked = `${what}, from ${node.name}, ${load.timeline.secondsOf(fromMs)} s: ${answer}`;
  const meaning = meaningOf(answer);
  if (meaning === 'internal') load.report.violate('INTERNAL', 'a read was answered so', asked);
  else if (meaning !== 'passing') load.report.violate('refusals', answer, asked);
  return undefined;
}

const readBy = (node: Node, person: Person) =>
  ({
    client: 'reader',
    over: 'grpc',
    daemon: node.name,
    walletId: walletIdOf(person.id, currency),
  }) as const;

/** Without a time it is the balance of now. */
async function readBalance(
  { record }: Load,
  node: Node,
  person: Person,
  at?: Date,
): Promise<Answer | string> {
  const request = { userId: '', currency, at };
  const method = WalletServiceService.getBalance;
  const end = record.beginBalance({ ...readBy(node, person), isNow: at === undefined });
  const answer = await node.connection().call(method, request, person.token, timeoutMs);
  if (!answer.ok) {
    end(outcomeOfReason(answer.reason));
    return answer.reason;
  }
  const { wallet, asOf = at ?? new Date(0) } = answer.value;
  const { balanceMinor = 0n, seq = 0n } = wallet ?? {};
  end({ kind: 'balance', balanceMinor, seq, asOfMs: asOf.getTime() } satisfies ReportedBalance);
  return { text: `${balanceMinor} at seq ${seq}`, at: asOf };
}

/** All pages of it; undefined unless it says that it is complete. */
async function readStatement(
  { record }: Load,
  node: Node,
  person: Person,
  from: Date,
  to: Date,
): Promise<Answer | string> {
  const pages: Statement[] = [];
  const period = { fromMs: from.getTime(), toMs: to.getTime() };
  const end = record.beginStatement({ ...readBy(node, person), ...period });
  for (let pageToken = ''; ;) {
    const request = {
      ...{ userId: '', currency, from, to, timezone: '', pageSize: 1_000, pageToken },
      ...{ operations: [], descending: false },
    };
    const method = StatementServiceService.generateStatement;
    const answer = await node.connection().call(method, request, person.token, timeoutMs);
    if (!answer.ok) {
      end(outcomeOfReason(answer.reason));
      return answer.reason;
    }
    const { status, statement, nextPageToken } = answer.value;
    if (status !== StatementStatus.COMPLETE || !statement) {
      end({ kind: 'unknown', reason: 'not complete' });
      return undefined;
    }
    pages.push(statement);
    pageToken = nextPageToken;
    if (pageToken === '') break;
  }
  end(toReported(pages));
  const [first] = pages;
  const sums = [first?.openingMinor, first?.totalDebitMinor, first?.totalCreditMinor];
  const lines = pages.flatMap((page) => page.lines);
  const texts = lines.map(
    ({ seq, transactionId, balanceAfterMinor, hash }) =>
      `${seq} ${transactionId} ${balanceAfterMinor} ${Buffer.from(hash).toString('hex', 0, 4)}`,
  );
  const text = `${[...sums, first?.closingMinor].join(' ')}; ${lines.length} lines: ${texts.join(', ')}`;
  return { text, at: to };
}

function toReported(pages: readonly Statement[]): ReportedStatement {
  const [first] = pages;
  const { openingMinor = 0n, closingMinor = 0n } = first ?? {};
  const { totalDebitMinor = 0n, totalCreditMinor = 0n } = first ?? {};
  const lines = pages
    .flatMap((page) => page.lines)
    .map(({ seq, transactionId, balanceAfterMinor, hash }) => ({
      ...{ seq, transactionId, balanceAfterMinor, hash: Buffer.from(hash).toString('hex') },
    }));
  const sums = { openingMinor, closingMinor, totalDebitMinor, totalCreditMinor };
  return { kind: 'statement', ...sums, lines };
}

function describeChange(
  load: Load,
  before: Reported,
  text: string,
  node: Node,
): [kind: string, what: string, asked: string] {
  const { person, at, from, wasFuture, readMs } = before;
  const { timeline } = load;
  const what = from
    ? `the complete statement of ${from.toISOString()} to ${at.toISOString()}`
    : `the balance as of ${at.toISOString()}`;
  const where = firstDifference(before.text, text);
  return [
    from ? `statements ${wasFuture ? 'of the future ' : ''}that changed` : 'balances that changed',
    `${what} of user ${person.id}`,
    `${before.by} said at ${timeline.secondsOf(readMs)} s: …${before.text.slice(where, where + 200)}\n` +
      `  ${node.name} says now: …${text.slice(where, where + 200)}\n` +
      `  faults between: ${timeline.describe(readMs, performance.now())}`,
  ];
}

function firstDifference(a: string, b: string): number {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  return Math.max(0, at - 60);
}
