import { randomUUID } from 'node:crypto';
import { gzipSync } from 'node:zlib';

import type { Mint } from '../access-matrix/forgeries.ts';
import { plainRequests } from '../access-matrix/requests.ts';
import { rpcs } from '../access-matrix/rpcs.ts';
import { isEndless } from '../support/grpc/any-call.ts';
import { item } from '../support/grpc/client.ts';
import { createHttp2, frameOf, type Ending } from './http2.ts';
import type { Range } from './pure.ts';
import { createRandom, type Random } from './random.ts';
import type { Report } from './report.ts';
import { createTokens, revoked, type Player } from './tokens.ts';
import { anyText } from './values.ts';
import { mutateMessage } from './wire.ts';

/** Those in whose name is called. None of them is the good client beside. */
export type Players = {
  readonly mint: Mint;
  readonly users: readonly Player[];
};

/** What takes long or much of the processor, and is bounded elsewhere: seldom. */
const heavy = new Set([
  'auth.signIn',
  'auth.signUp',
  'auth.createUser',
  'auth.changePassword',
  'wallet.streamLedger',
  'wallet.verifyLedger',
  'wallet.getStatementProof',
  'statement.verifyProjection',
  'statement.rebuildProjection',
  'statement.watchLines',
]);
/** They take valid items, and so change the ledger. */
const movers = new Set([
  'wallet.createTransaction',
  'wallet.streamTransactions',
  'wallet.batchCreateTransactions',
]);
const heavyPercent = 1;
const inFlight = 96;
const connections = 4;

const light = rpcs.filter((rpc) => !heavy.has(rpc.name));
const slow = rpcs.filter((rpc) => heavy.has(rpc.name));

/** Sends one input after the other, many at a time. */
async function runMany(
  { from, count }: Range,
  width: number,
  work: (index: number) => Promise<void>,
): Promise<void> {
  let next = from;
  const lane = async (): Promise<void> => {
    while (next < from + count) {
      const index = next;
      next += 1;
      await work(index);
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}

/** A valid request of an RPC, and who sends it. */
function startFrom(random: Random, players: Players) {
  const rpc = random.chance(heavyPercent) ? random.pick(slow) : random.pick(light);
  const caller = random.pick(players.users);
  const customers = players.users.filter((user) => user.role === 'customer');
  const userId =
    caller.role === 'customer' && random.chance(70) ? '' : random.pick(customers).userId;
  const move = item({
    userId,
    currency: random.pick(['', 'BRL', 'EUR', 'JPY', 'KWD']),
    operation: random.pick([1, 1, 1, 2, 3, 4, 5]),
    amountMinor: BigInt(1 + random.int(1_000)),
    description: 'a movement',
    idempotencyKey: `k${random.int(1_000_000)}`,
    metadata: { a: 'b' },
    ...(random.chance(30) ? { parentId: randomUUID() } : {}),
    ...(random.chance(30) ? { merchant: 'a shop' } : {}),
  });
  const request = movers.has(rpc.name)
    ? { item: move, items: [move, move], dryRun: random.chance(30) }
    : plainRequests[rpc.name]?.({ userId, validToken: 'none' });
  return { rpc, caller, message: rpc.definition.requestSerialize(request ?? {}) };
}

/** Why an ending must not be; undefined for all that may. */
function findFault({ code, reason, message, fault }: Ending): string | undefined {
  if (fault !== undefined) return fault;
  if (code === undefined) return 'no status';
  if (reason === 'INTERNAL') return 'INTERNAL';
  // What cannot be read as protobuf is answered by the transport itself.
  const isUnreadable = code === 13 && /deserializ|decompress/i.test(message);
  if (reason === '' && [2, 13, 15].includes(code) && !isUnreadable) {
    return `code ${code}: ${message}`;
  }
  return undefined;
}

const endingOf = ({ code, reason }: Ending): string =>
  code === 0 ? 'OK' : reason || `code ${String(code)}`;

/**
 * Valid requests of every RPC, broken in their fields or their bytes, with credentials that are
 * good.
 */
export async function fuzzCalls(
  report: Report,
  range: Range,
  address: string,
  players: Players,
): Promise<void> {
  const http2 = createHttp2(address, connections);
  const tokens = createTokens(players.mint);
  await runMany(range, inFlight, async (index) => {
    const random = createRandom(report.seed, 'calls', index);
    const { rpc, caller, message } = startFrom(random, players);
    const body = mutateMessage(random, message);
    const token = await tokens.of(caller, rpc.name);
    const ending = await http2.send(rpc.definition.path, frameOf(body), {
      authorization: `Bearer ${token}`,
      // Attempts of one network, or at one account, wait in line: that would be most of the time.
      'x-forwarded-for': `198.${18 + random.int(2)}.${random.int(256)}.${random.int(256)}`,
      'grpc-timeout': '1S',
    });
    if (ending.reason === revoked) await tokens.forget(caller.userId, token);
    report.count('calls', endingOf(ending));
    const fault = findFault(ending);
    if (fault !== undefined) {
      report.violate('calls', index, `${rpc.name}: ${fault}`, body.toString('hex'));
    }
  });
  http2.close();
}

const bomb = gzipSync(Buffer.alloc(32 * 1024 * 1024));

/** Frames of gRPC and headers that are not as they should be, around a request that is. */
export async function fuzzFraming(
  report: Report,
  range: Range,
  address: string,
  players: Players,
): Promise<void> {
  const http2 = createHttp2(address, 2);
  const tokens = createTokens(players.mint);
  await runMany(range, 24, async (index) => {
    const random = createRandom(report.seed, 'framing', index);
    const { rpc, caller, message } = startFrom(random, players);
    if (isEndless(rpc.definition)) return;
    const token = await tokens.of(caller, rpc.name);
    const { path, body, headers } = breakFraming(random, rpc.definition.path, message);
    const all = { authorization: `Bearer ${token}`, ...headers };
    const ending = await http2.send(path, body, all).catch((err: unknown) => {
      report.violate('framing', index, `the client threw: ${String(err)}`);
      return undefined;
    });
    if (!ending) return;
    if (ending.reason === revoked) await tokens.forget(caller.userId, token);
    report.count('framing', endingOf(ending));
    const isOurs = ending.reason === 'INTERNAL' || ending.fault === 'no end';
    // A length that promises more than comes is rightly waited for, until the stream ends.
    if (isOurs)
      report.violate(
        'framing',
        index,
        endingOf(ending),
        JSON.stringify([path, headers, body.toString('hex').slice(0, 400)]),
      );
  });
  http2.close();
}

function breakFraming(random: Random, path: string, message: Buffer) {
  const whole = frameOf(message);
  const same = { path, body: whole, headers: {} as Record<string, string> };
  const text = (): string =>
    anyText(random)
      .replace(/[^\t\x20-\x7e]/g, '')
      .trim();
  switch (random.int(14)) {
    case 0:
      return { ...same, body: frameOf(message, 1) };
    case 1:
      return { ...same, body: frameOf(message, random.int(256)) };
    case 2:
      return { ...same, body: frameOf(message, 0, random.pick([0, 1, 2 ** 31, 2 ** 32 - 1])) };
    case 3:
      return { ...same, body: whole.subarray(0, random.int(whole.length)) };
    case 4:
      return { ...same, body: Buffer.concat([whole, whole, whole]) };
    case 5:
      return { ...same, body: Buffer.concat([whole, random.bytes(1 + random.int(20))]) };
    case 6:
      return {
        ...same,
        body: frameOf(random.chance(10) ? bomb : gzipSync(message), 1),
        headers: { 'grpc-encoding': 'gzip' },
      };
    case 7:
      return {
        ...same,
        headers: { 'grpc-encoding': random.pick(['gzip', 'deflate', 'br', text()]) },
        body: frameOf(random.bytes(40), 1),
      };
    case 8:
      return {
        ...same,
        path: random.pick([
          '/',
          '//',
          `/${text()}`,
          `${path}/x`,
          path.toLowerCase(),
          `${path}?x=1`,
          '*',
        ]),
      };
    case 9:
      return {
        ...same,
        headers: {
          'content-type': random.pick([
            'text/plain',
            'application/json',
            'application/grpc+json',
            'application/grpc-web',
            text(),
          ]),
        },
      };
    case 10:
      return {
        ...same,
        headers: {
          'grpc-timeout': random.pick([
            '0n',
            '1n',
            '1S',
            '99999999H',
            '-1S',
            'x',
            '999999999999S',
            text(),
          ]),
        },
      };
    case 11:
      return {
        ...same,
        headers: { 'x-request-id': text(), 'x-forwarded-for': text(), 'user-agent': text() },
      };
    case 12:
      return {
        ...same,
        headers: {
          [`x-${random.int(99)}`]: 'a'.repeat(random.pick([1_000, 9_000, 17_000, 60_000])),
        },
      };
    default:
      return {
        ...same,
        headers: { 'some-bin': random.pick(['!!!', '====', 'AA', text()]), authorization: text() },
      };
  }
}
