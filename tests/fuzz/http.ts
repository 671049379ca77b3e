import { httpFaults } from '../../daemon/gateway/http/problems.ts';
import { isReason } from '../../core/reasons.ts';
import type { Role } from '../../core/roles.ts';
import type { Mint } from '../access-matrix/forgeries.ts';
import { queryService } from '../support/ledger/ledger.ts';
import { openRaw, type RawAnswer, type RawConnection } from '../support/http/raw.ts';
import { makeHttpInput, type HttpInput, type HttpPlayer } from './http-inputs.ts';
import type { Range } from './pure.ts';
import { createRandom } from './random.ts';
import type { Report } from './report.ts';

/** Some answers take seconds: guesses of passwords wait in a queue. */
const connectionCount = 64;
const progressMs = 30_000;
const answerMs = 60_000;
/** A stream of events has no end: it is left. */
const streamMs = 150;
const renewMs = 5 * 60_000;

export type HttpUsers = readonly { readonly role: Role; readonly userId: string }[];

type Target = { readonly port: number; readonly mint: Mint; readonly users: HttpUsers };

/** What the daemon said that it did; to be compared with the ledger. */
export type Accepted = {
  /** Amounts in minor units, without their sign, by transaction. */
  readonly amounts: Map<string, bigint>;
  /** Requests whose answer did not arrive whole. */
  unknown: number;
};

/** Inputs over several connections; how fast, and what they did to the ledger. */
export async function fuzzHttp(
  report: Report,
  { from, count }: Range,
  target: Target,
  accepted: Accepted,
  say: (line: string) => void,
): Promise<string> {
  const players = createPlayers(target);
  const startedAt = performance.now();
  let next = from;
  const describeRate = (done: number): string => {
    const perSecond = Math.round((done * 1_000) / (performance.now() - startedAt));
    return `http: ${done} inputs, ${perSecond} a second over ${connectionCount} connections`;
  };
  const progress = setInterval(() => say(describeRate(next - from)), progressMs);
  const lane = async (): Promise<void> => {
    let connection: Lane | undefined;
    while (next < from + count) {
      const index = next;
      next += 1;
      const random = createRandom(report.seed, 'http', index);
      const player = await players.pick(random.int(target.users.length));
      const input = makeHttpInput(random, player, index);
      if (!connection || connection.isSpent) connection = openLane(target.port);
      const answers = await exchange(connection, input);
      judge(report, index, input, answers, accepted);
      if (input.isSignedIn && answers[0]?.status === 401) players.renew(player);
      if (answers.length === 0 && !input.isWhole) accepted.unknown += 2;
    }
    connection?.connection.close();
  };
  await Promise.all(Array.from({ length: connectionCount }, lane));
  clearInterval(progress);
  return describeRate(count);
}

type Lane = { readonly connection: RawConnection; readonly methods: string[]; isSpent: boolean };

function openLane(port: number): Lane {
  const methods: string[] = [];
  return { connection: openRaw(port, methods), methods, isSpent: false };
}

/** Writes an input, and reads its answers; none where the connection ended without one. */
async function exchange(lane: Lane, input: HttpInput): Promise<RawAnswer[]> {
  const { connection, methods } = lane;
  methods.push(input.method);
  for (const part of input.parts) {
    connection.write(part);
    if (input.parts.length > 1) await new Promise((resolve) => setImmediate(resolve));
  }
  if (!input.isWhole) {
    lane.isSpent = true;
    methods.push(input.method);
    connection.socket.end();
    const all = await within(connection.rest(), isStream(input) ? streamMs : answerMs);
    connection.close();
    return (all ?? []).filter(({ status }) => status >= 200);
  }
  let answer = await within(connection.next(), isStream(input) ? streamMs : answerMs);
  while (answer?.status === 100) answer = await within(connection.next(), answerMs);
  if (!answer || answer.headers['connection'] === 'close') {
    lane.isSpent = true;
    connection.close();
  }
  return answer ? [answer] : [];
}

const isStream = ({ target, method }: HttpInput): boolean =>
  method === 'GET' && target.includes('/v1/events');

async function within<T>(promise: Promise<T>, timeMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), timeMs);
  });
  // An answer that cannot be read is none.
  const read = promise.catch(() => undefined);
  const first = await Promise.race([read, late]);
  clearTimeout(timer);
  return first;
}

function judge(
  report: Report,
  index: number,
  input: HttpInput,
  answers: readonly RawAnswer[],
  accepted: Accepted,
): void {
  const shown = `${input.bytes.toString('latin1')}\n${answers[0]?.text.slice(0, 500) ?? 'no answer'}`;
  if (answers.length === 0) {
    report.count('http', isStream(input) ? 'stream' : 'no answer');
    if (input.isWhole && !isStream(input)) report.violate('http', index, 'no answer', shown);
    return;
  }
  for (const [i, answer] of answers.entries()) {
    const reason = typeof answer.body['reason'] === 'string' ? ` ${answer.body['reason']}` : '';
    if (i === 0) report.count('http', `${answer.status}${reason}`);
    const fault = findFault(answer, input.method === 'HEAD');
    if (fault !== undefined) report.violate('http', index, fault, shown);
    const isDone = answer.status === 200 || answer.status === 201;
    // The document has examples of transactions.
    if (isDone && !('openapi' in answer.body)) collect(answer.body, accepted.amounts);
  }
}

function findFault({ status, headers, body }: RawAnswer, isHead: boolean): string | undefined {
  if (status < 400 || isHead) return undefined;
  if (status === 500 || status === 501) return `status ${status}`;
  // What the readiness says is for machines of another sort.
  if (headers['content-type'] !== 'application/problem+json') return `${status} is no problem`;
  const { reason, requestId, title, detail, type } = body;
  if (typeof reason !== 'string' || !(isReason(reason) || Object.hasOwn(httpFaults, reason))) {
    return `${status} has the unknown reason ${String(reason)}`;
  }
  if (body['status'] !== status) return `${status} says ${String(body['status'])}`;
  if (requestId !== headers['x-request-id'] || headers['x-request-id'] === undefined) {
    return `${reason} has no request id`;
  }
  const isWhole = typeof title === 'string' && typeof detail === 'string' && detail !== '';
  return isWhole && type === `/docs/errors#${reason}` ? undefined : `${reason} is not whole`;
}

/** Transactions in an answer, at any depth. */
function collect(value: unknown, amounts: Map<string, bigint>): void {
  if (typeof value !== 'object' || value === null) return;
  const { id, walletId, amount } = value as Readonly<Record<string, unknown>>;
  if (typeof id === 'string' && typeof walletId === 'string' && typeof amount === 'string') {
    amounts.set(id, BigInt(amount.replace('.', '')));
    return;
  }
  for (const each of Object.values(value)) collect(each, amounts);
}

/** Whether the ledger has each accepted transaction, and no others of these users. */
export async function judgeHttpLedger(
  report: Report,
  dataDir: string,
  users: HttpUsers,
  { amounts, unknown }: Accepted,
): Promise<string> {
  type Row = { id: string; amount: string };
  const rows = await queryService<Row>(
    dataDir,
    'wallet',
    `SELECT t.id, t.amount::text AS amount FROM transactions t
       JOIN wallets w ON w.id = t.wallet_id WHERE w.user_id = ANY($1)`,
    [users.map(({ userId }) => userId)],
  );
  const ledger = new Map(rows.map(({ id, amount }) => [id, BigInt(amount)]));
  const abs = (value: bigint): bigint => (value < 0n ? -value : value);
  for (const [id, amount] of amounts) {
    const entry = ledger.get(id);
    if (entry === undefined) report.violate('http ledger', undefined, 'an entry is missing', id);
    else if (abs(entry) !== amount) report.violate('http ledger', undefined, 'other amount', id);
  }
  const more = rows.filter(({ id }) => !amounts.has(id)).length;
  if (more > unknown) {
    report.violate('http ledger', undefined, `${more} entries that no answer reported`);
  }
  return `http: ${rows.length} entries, ${amounts.size} reported, ${more} of ${unknown} unanswered`;
}

/** Players by number; one whose session has ended signs in again. */
function createPlayers({ mint, users }: Target) {
  const current: (Promise<HttpPlayer> | undefined)[] = [];
  const since: number[] = [];
  const signIn = async (i: number): Promise<HttpPlayer> => {
    const { userId, role } = users[i]!;
    return { userId, header: ['Authorization', `Bearer ${await mint.signIn(userId, role)}`] };
  };
  return {
    pick: (i: number): Promise<HttpPlayer> => {
      if (performance.now() - (since[i] ?? 0) > renewMs) current[i] = undefined;
      if (!current[i]) since[i] = performance.now();
      return (current[i] ??= signIn(i));
    },
    renew: ({ userId }: HttpPlayer): void => {
      const i = users.findIndex((user) => user.userId === userId);
      // Not again and again, where the session is not to blame.
      if (performance.now() - (since[i] ?? 0) > 1_000) current[i] = undefined;
    },
  };
}
