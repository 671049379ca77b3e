import { randomBytes, randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import type { MethodDefinition } from '@grpc/grpc-js';

import { AuthServiceService as auth } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { StatementServiceService as statement } from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { WalletServiceService as wallet } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createRandom, type Random } from '../fuzz/random.ts';
import { item } from '../support/grpc/client.ts';
import { connectRaw, readAnswer, type RawClient } from '../support/grpc/raw-http2.ts';
import type { SoakSite } from './site.ts';

/** A call of one kind, as bytes. */
type Kind = {
  readonly name: string;
  readonly path: string;
  readonly makeMessages: () => readonly Buffer[];
  /** The request has no end of its own. */
  readonly isOpen?: boolean;
};

function kindOf<Req, Res>(
  name: string,
  method: MethodDefinition<Req, Res>,
  make: () => Req,
  messages = 1,
): Kind {
  const makeMessages = (): Buffer[] =>
    Array.from({ length: messages }, () => method.requestSerialize(make()));
  return { name, path: method.path, makeMessages, isOpen: method.requestStream };
}

const yearMs = 365 * 86_400_000;
const range = () => ({ from: new Date(Date.now() - 5 * 86_400_000), to: new Date() });
const page = { pageSize: 100, pageToken: '' };
const deposit = () => item({ operation: 1, amountMinor: 100n });
/** Of a request that is given in parts, the rest is what a client leaves out. */
const whole = (part: object): never => part as never;

const kinds: readonly Kind[] = [
  kindOf('balance', wallet.getBalance, () => ({ userId: '', currency: '', at: undefined })),
  kindOf('deposit', wallet.createTransaction, () => ({ item: deposit(), dryRun: false })),
  kindOf(
    'stream',
    wallet.streamTransactions,
    () => ({ items: [deposit(), deposit()], dryRun: false }),
    3,
  ),
  kindOf('batch', wallet.batchCreateTransactions, () => ({
    items: [deposit(), deposit()],
    dryRun: false,
  })),
  kindOf('dry stream', wallet.streamTransactions, () => ({ items: [deposit()], dryRun: true })),
  kindOf('transactions', wallet.listTransactions, () =>
    wallet.listTransactions.requestDeserialize(Buffer.alloc(0)),
  ),
  kindOf('statement', statement.generateStatement, () =>
    whole({ ...statement.generateStatement.requestDeserialize(Buffer.alloc(0)), ...range() }),
  ),
  kindOf('exports', statement.listExports, () => whole({ userId: '', ...page })),
  kindOf('download', statement.downloadExport, () => whole({ exportId: randomUUID(), offset: 0n })),
  kindOf('lines', statement.watchLines, () => ({ userIds: [], cursor: '' })),
  kindOf('sessions', auth.listSessions, () => whole({ userId: '', ...page })),
  kindOf('user', auth.getUser, () => ({ userId: '' })),
  kindOf('sign-in', auth.signIn, () =>
    whole({
      ...auth.signIn.requestDeserialize(Buffer.alloc(0)),
      email: `unknown${randomBytes(2).toString('hex')}@example.com`,
      password: 'a wrong password',
    }),
  ),
  kindOf('refresh', auth.refreshSession, () => ({ refreshToken: randomBytes(32).toString('hex') })),
  kindOf('keys', auth.getJwks, () => ({})),
  {
    name: 'watch',
    path: '/grpc.health.v1.Health/Watch',
    makeMessages: () => [serviceName(`some.Service${randomBytes(1).toString('hex')}`)],
  },
  { name: 'nothing', path: '/no.such.Service/Method', makeMessages: () => [Buffer.alloc(3)] },
];

/** An export now and then: the file is worked on, and downloaded. */
const makeExport = kindOf('export', statement.createExport, () =>
  whole({
    ...statement.createExport.requestDeserialize(Buffer.alloc(0)),
    from: new Date(Date.now() - yearMs),
    to: new Date(),
    format: 1,
  }),
);

/** `HealthCheckRequest`. */
function serviceName(service: string): Buffer {
  return Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
}

type Headers = Readonly<Record<string, string>>;
type Way = (raw: RawClient, kind: Kind, headers: Headers, random: Random) => Promise<unknown>;

/** A watch never ends by itself, nor does a stream that is left open. */
const maxMs = 400;

const finish: Way = async (raw, { path, makeMessages }, headers) => {
  const stream = raw.open(path, { headers, messages: makeMessages() });
  const timer = setTimeout(() => stream.close(8), maxMs);
  await readAnswer(stream);
  clearTimeout(timer);
};

const cancelAfter =
  (maxDelayMs: number): Way =>
  async (raw, { path, makeMessages, isOpen = false }, headers, random) => {
    const stream = raw.open(path, { headers, messages: makeMessages(), staysOpen: isOpen });
    const answer = readAnswer(stream);
    await sleep(random.int(maxDelayMs + 1));
    stream.close(8);
    await answer;
  };

const beLate: Way = (raw, kind, headers, random) =>
  finish(raw, kind, { ...headers, 'grpc-timeout': `${1 + random.int(20)}m` }, random);

const beRefused: Way = (raw, kind, _headers, random) => {
  const secret = random.bytes(32).toString('base64url');
  const bad = [
    `Bearer dwk_00000000_${secret}`,
    `Bearer a.b.${secret}`,
    'Service unknown',
    'Basic x',
  ];
  return finish(raw, kind, { authorization: random.pick(bad) }, random);
};

const beBroken: Way = async (raw, { path }, headers, random) => {
  const stream = raw.open(path, { headers, staysOpen: true });
  const answer = readAnswer(stream);
  stream.write(random.bytes(1 + random.int(200)));
  stream.end();
  const timer = setTimeout(() => stream.close(8), maxMs);
  await answer;
  clearTimeout(timer);
};

const ways: readonly Way[] = [finish, cancelAfter(0), cancelAfter(30), beLate, beRefused, beBroken];

/** Calls of every kind in every way, over one connection that is then left, or lost. */
async function visit(
  { address, customers }: SoakSite,
  randomOf: (kind: string) => Random,
  count: (what: string) => void,
): Promise<void> {
  const random = randomOf('visit');
  const isDeaf = random.chance(10);
  const raw = connectRaw(address, isDeaf ? { initialWindowSize: 0 } : {});
  const { token } = random.pick(customers);
  const headers = { authorization: `Bearer ${token}` };
  const some = Array.from({ length: 12 }, async (_, i) => {
    // Calls run concurrently: each has its own choices, so that their order changes none.
    const own = randomOf(`call ${i}`);
    const kind = own.int(200) === 0 ? makeExport : own.pick(kinds);
    await own.pick(isDeaf ? [cancelAfter(50)] : ways)(raw, kind, headers, own);
    count(kind.name);
  });
  await Promise.all(some);
  if (random.chance(30)) {
    // Left in the middle of calls of every kind.
    for (const { path, makeMessages, isOpen = false } of kinds) {
      raw.open(path, { headers, messages: makeMessages(), staysOpen: isOpen });
      count('abandoned');
    }
    await sleep(random.int(41));
    raw.session.destroy();
  } else {
    await new Promise<void>((resolve) => raw.session.close(resolve));
  }
}

/** Messages, good ones, doubled ones, and ones that can never be handled. */
async function emit({ producer, customers }: SoakSite, random: Random): Promise<void> {
  const { id } = random.pick(customers);
  const messageId = randomUUID();
  await producer.emit({ userId: id, operation: 'deposit', amount: '1.00', messageId });
  await producer.emit({ userId: id, operation: 'deposit', amount: '1.00', messageId });
  await producer.send('{"pattern":"transaction_emitted","data":', { messageId: randomUUID() });
}

const visitors = 6;

/**
 * All of it, until the time is over. The same seed makes the same choices. Resolves once the last
 * call has ended; how many of each.
 */
export async function act(
  site: SoakSite,
  durationMs: number,
  seed: string,
): Promise<ReadonlyMap<string, number>> {
  const endsAtMs = performance.now() + durationMs;
  const counts = new Map<string, number>();
  const count = (what: string): void => void counts.set(what, (counts.get(what) ?? 0) + 1);
  const isOver = (): boolean => performance.now() >= endsAtMs;
  const visiting = Array.from({ length: visitors }, async (_, visitor) => {
    for (let i = 0; !isOver(); i += 1) {
      await visit(site, (kind) => createRandom(seed, `visitor ${visitor}, ${kind}`, i), count);
    }
  });
  const emitting = async (): Promise<void> => {
    for (let i = 0; !isOver(); i += 1) {
      await emit(site, createRandom(seed, 'messages', i));
      count('messages');
      await sleep(100);
    }
  };
  await Promise.all([...visiting, emitting()]);
  return counts;
}
