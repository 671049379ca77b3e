import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { createUserOnHost } from '../daemon/auth/index.ts';
import type { Caller } from '../daemon/platform/grpc/caller/caller.ts';
import { createRemoteCaller } from '../daemon/platform/grpc/caller/remote.ts';
import { findTransientRejection } from '../daemon/platform/transient-rejection.ts';
import type { Rejection } from '../core/reasons.ts';
import * as auth from '../protos/gen/digitalwallet/auth/v1/auth.ts';
import * as statement from '../protos/gen/digitalwallet/statement/v1/statement.ts';
import * as wallet from '../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { plainRequests } from './access-matrix/requests.ts';
import { rpcs, type Rpc } from './access-matrix/rpcs.ts';
import { startAllServices, type AllServices } from './support/processes/all-services.ts';
import { isEndless } from './support/grpc/any-call.ts';
import { readAudit } from './support/grpc/calls.ts';
import { item } from './support/grpc/client.ts';
import { password } from './support/processes/world.ts';

type Way = 'local' | 'remote';
type Person = 'customer' | 'admin';
type Who = Person | 'service' | 'anonymous' | 'a stranger';

let services: AllServices;
let callers: Readonly<Record<Way, { readonly service: Caller; readonly users: Caller }>>;
const people: Record<Person, { id: string; email: string; token: string }> = {
  customer: { id: '', email: 'ana@example.com', token: '' },
  admin: { id: '', email: 'root@example.com', token: '' },
};
let browserToken = '';
let exportId = '';
let transactionId = '';

type Request = { fromPartial(partial: object): object };
const types = { auth, wallet, statement } as unknown as Record<string, Record<string, Request>>;

/** The request as ts-proto makes it whole. */
function whole({ name }: Rpc, partial: object): object {
  const [service = '', method = ''] = name.split('.');
  const type = types[service]?.[`${method.charAt(0).toUpperCase()}${method.slice(1)}Request`];
  if (!type) throw new Error(`there is no request of ${name}`);
  return type.fromPartial(partial);
}

async function signIn(person: Person): Promise<string> {
  const request = auth.SignInRequest.fromPartial({ email: people[person].email, password });
  const answer = await callers.local.users.call(auth.AuthServiceService.signIn, request);
  if (!answer.ok) throw new Error(answer.rejection.message);
  return answer.value.tokens?.accessToken ?? '';
}

type Ended = { readonly answers: readonly object[]; readonly rejection: Rejection | undefined };

/** Calls an RPC of any kind, and reads a stream to its end. */
async function send(
  way: Way,
  who: Who,
  rpc: Rpc,
  request: object,
  requestId: string,
): Promise<Ended> {
  const { service, users } = callers[way];
  const caller = who === 'service' ? service : users;
  const { definition, name } = rpc;
  const isSigningOut = name === 'auth.signOut' && (who === 'customer' || who === 'admin');
  const options = {
    requestId,
    source: '127.0.0.1',
    deadlineMs: performance.now() + 30_000,
    ...authorizationOf(who, isSigningOut ? await signIn(who) : undefined),
  };
  if (!definition.requestStream && !definition.responseStream) {
    const answer = await caller.call(definition, request, options);
    return answer.ok
      ? { answers: [answer.value], rejection: undefined }
      : { answers: [], rejection: answer.rejection };
  }
  const answers: object[] = [];
  async function* one(): AsyncGenerator<object> {
    yield await Promise.resolve(request);
  }
  try {
    const asked = definition.requestStream ? one() : request;
    for await (const answer of caller.stream(definition, asked, options)) {
      answers.push(answer);
      if (isEndless(definition)) break;
    }
    return { answers, rejection: undefined };
  } catch (err) {
    const rejection = findTransientRejection(err);
    if (!rejection) throw err;
    return { answers, rejection };
  }
}

function authorizationOf(who: Who, token?: string): { readonly authorization?: string } {
  if (who === 'a stranger') return { authorization: 'Bearer no-token' };
  if (who !== 'customer' && who !== 'admin') return {};
  return { authorization: `Bearer ${token ?? people[who].token}` };
}

/** Of each call its own: until when it looked, and how it learns to come back. */
const ofItsOwn = new Set([
  ...['asOf', 'from', 'to', 'requestId', 'retryAfterMs'],
  ...['accessToken', 'accessTokenExpiresAt'],
]);
/**
 * What was made later was made by the calls that are compared: dry runs, since nothing is changed.
 */
let filledAtMs = Infinity;
const isNew = (value: unknown): boolean => value instanceof Date && value.getTime() > filledAtMs;

/** Without what two calls cannot have in common; bytes and numbers as text. */
function toComparable(value: unknown): unknown {
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  if (typeof value === 'bigint') return `${value}n`;
  if (value instanceof Date) return isNew(value) ? 'new' : value.toISOString();
  if (Array.isArray(value)) return value.map(toComparable);
  if (typeof value !== 'object' || value === null) return value;
  const isMadeNow = Object.values(value).some(isNew);
  const entries = Object.entries(value)
    .filter(([key, part]) => !ofItsOwn.has(key) && part !== undefined)
    .filter(([key]) => !isMadeNow || key !== 'hash')
    .map(([key, part]) => [key, toComparable(part)] as const);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Something in each list, so that answers are not all empty. */
async function fill(): Promise<void> {
  const options = authorizationOf('customer');
  const { users } = callers.local;
  const browser = { email: people.customer.email, password, browser: true };
  const opening = auth.SignInRequest.fromPartial(browser);
  const opened = await users.call(auth.AuthServiceService.signIn, opening);
  if (!opened.ok) throw new Error(opened.rejection.message);
  browserToken = opened.value.browserToken ?? '';
  for (let i = 0; i < 3; i += 1) {
    const deposit = item({
      operation: wallet.Operation.DEPOSIT,
      amountMinor: 100n,
      currency: 'BRL',
    });
    const request = wallet.CreateTransactionRequest.fromPartial({ item: deposit });
    const made = await users.call(wallet.WalletServiceService.createTransaction, request, options);
    if (!made.ok) throw new Error(made.rejection.message);
    transactionId = made.value.transaction?.id ?? '';
  }
  const { createExport, getExport } = statement.StatementServiceService;
  const asked = await users.call(createExport, exportRequest(crypto.randomUUID(), false), options);
  if (!asked.ok) throw new Error(asked.rejection.message);
  exportId = asked.value.export?.id ?? '';
  for (let tries = 0; tries < 200; tries += 1) {
    const request = statement.GetExportRequest.fromPartial({ exportId });
    const got = await users.call(getExport, request, options);
    filledAtMs = Date.now();
    if (got.ok && got.value.export?.status === statement.ExportStatus.DONE) return;
    await sleep(50);
  }
  throw new Error('the export was not written');
}

const exportRequest = (idempotencyKey: string, dryRun: boolean) =>
  statement.CreateExportRequest.fromPartial({
    currency: 'BRL',
    from: new Date(Date.now() - 86_400_000),
    to: new Date(),
    timezone: 'UTC',
    format: statement.ExportFormat.CSV,
    ...{ idempotencyKey, dryRun },
  });

/** Requests that find something, or that break a bound; besides the harmless one of each RPC. */
const more: Readonly<Record<string, () => object[]>> = {
  'wallet.getTransaction': () => [
    { by: { $case: 'transactionId', value: transactionId }, currency: 'BRL' },
    {},
  ],
  'wallet.getBalance': () => [
    { userId: people.customer.id, currency: 'BRL', at: new Date() },
    { userId: 'x'.repeat(5_000) },
  ],
  'wallet.streamLedger': () => [{}],
  'statement.getExport': () => [{ exportId }],
  'statement.downloadExport': () => [{ exportId }, { exportId, offset: 5n }],
  'auth.resolveUsers': () => [
    { emails: [people.customer.email] },
    { userIds: Array(1_001).fill('') },
  ],
  'auth.listRevocations': () => [{}],
  'auth.exchangeSession': () => [{ browserToken }],
};

const requestsOf = (rpc: Rpc): object[] => {
  const ground = { userId: people.customer.id, validToken: people.customer.token };
  const plain = plainRequests[rpc.name];
  if (!plain) throw new Error(`there is no request for ${rpc.name}`);
  return [plain(ground), ...(more[rpc.name]?.() ?? [])].map((request) => whole(rpc, request));
};

describe.each([true, false])('fast path: %s', (isFastPathOn) => {
  beforeAll(async () => {
    services = await startAllServices(isFastPathOn);
    const { server, address, serviceCredential } = services;
    callers = {
      local: { service: server.createCaller({ kind: 'service' }), users: server.createCaller() },
      remote: {
        service: createRemoteCaller({ address, serviceCredential }),
        users: createRemoteCaller({ address }),
      },
    };
    for (const role of ['customer', 'admin'] as const) {
      const { email } = people[role];
      const created = await createUserOnHost(services.databases.auth.db, { email, password, role });
      if (!created.ok) throw new Error(created.rejection.message);
      people[role].id = created.value.id;
      people[role].token = await signIn(role);
    }
    await fill();
  });

  afterAll(async () => {
    for (const { service, users } of Object.values(callers)) [service, users].map((c) => c.close());
    await services.stop();
  });

  describe.each(['anonymous', 'a stranger', 'customer', 'admin', 'service'] as const)(
    'calls by %s',
    (who) => {
      const calls: { readonly name: string; readonly ids: Readonly<Record<Way, string>> }[] = [];

      it.each(rpcs)('$name has the same answer locally and over the wire', async (rpc) => {
        for (const request of requestsOf(rpc)) {
          // Records of earlier calls may be written while both list them: then they list them
          // again.
          await vi.waitFor(
            async () => {
              const ids = { local: randomUUID(), remote: randomUUID() };
              calls.push({ name: rpc.name, ids });
              const local = await send('local', who, rpc, request, ids.local);
              await forgetRecordedOnce();
              const remote = await send('remote', who, rpc, request, ids.remote);
              expect(toComparable(local)).toEqual(toComparable(remote));
              expect(local.rejection?.reason).not.toBe('INTERNAL');
            },
            { timeout: 5_000, interval: 200 },
          );
        }
      });

      it(`each call by ${who} has the same audit records locally and over the wire`, async () => {
        // Some are recorded after the answer.
        await sleep(500);
        const readBoth = async () => {
          const records = await readRecords();
          return calls.map(({ name, ids }) => ({
            name,
            local: records.get(ids.local),
            remote: records.get(ids.remote),
          }));
        };
        const findDifferent = async () =>
          (await readBoth()).filter(({ local, remote }) => !isDeepStrictEqual(local, remote));
        await expect.poll(findDifferent, { timeout: 10_000 }).toEqual([]);
      });
    },
  );
});

/**
 * Reads of an export are recorded once: under another id, the next one is recorded as the first.
 */
const forgetRecordedOnce = () =>
  services.databases.statement.query(
    "UPDATE audit_log SET id = gen_random_uuid() WHERE action = 'export.get'",
  );

/** What the services have recorded, by request id, without times and numbers. */
async function readRecords(): Promise<ReadonlyMap<string, readonly object[]>> {
  const records = new Map<string, object[]>();
  for (const [service, database] of Object.entries(services.databases)) {
    for (const row of await readAudit(database)) {
      const { actor, actorRole, action, result, requestId: id } = row;
      records.set(id, [...(records.get(id) ?? []), { service, actor, actorRole, action, result }]);
    }
  }
  return records;
}
