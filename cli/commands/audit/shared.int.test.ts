import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { User } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { AuditEvent } from '../../../protos/gen/digitalwallet/common/v1/audit.ts';
import type { ListAuditEventsRequest } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

type Service = 'auth' | 'wallet' | 'statement';
const startMs = Date.parse('2026-11-22T12:00:00Z');
const evil = 'a\u001b[31m\u202eb';

let cli: Cli;
let server: FakeServer;
let logs: Record<Service, AuditEvent[]>;
let requests: (ListAuditEventsRequest & { service: Service })[];
let answers: Partial<Record<Service, () => Error>>;

const event = (service: Service, number: number, seconds: number): AuditEvent =>
  AuditEvent.fromPartial({
    id: `${service}-${number}`,
    occurredAt: new Date(startMs - seconds * 1000),
    ...{ actor: userId, actorRole: 'admin', action: `${service}.do`, target: evil },
    ...{ result: 'ok', requestId: 'r', details: { note: evil } },
  });

const serviceOf = (path: string): Service =>
  (['auth', 'wallet', 'statement'] as const).find((name) => path.includes(`.${name}.`)) ?? 'auth';

beforeEach(async () => {
  requests = [];
  answers = {};
  // Newest first; the second of each counts its own steps back.
  const log = (service: Service, count: number, step: number) =>
    Array.from({ length: count }, (_, i) => event(service, i, i * step));
  logs = {
    auth: log('auth', 130, 2),
    wallet: log('wallet', 7, 30),
    statement: log('statement', 3, 5),
  };
  server = await startFakeServer({
    listAuditEvents: (request: ListAuditEventsRequest, call) => {
      const service = serviceOf((call as unknown as { getPath(): string }).getPath());
      requests.push({ ...request, service });
      const answer = answers[service]?.();
      if (answer) return answer;
      // A page ends where its own token says, whatever has come on top since.
      const after = logs[service].findIndex(({ id }) => id === request.pageToken);
      const left = logs[service].slice(after + 1);
      const page = left.slice(0, Math.min(request.pageSize, 40));
      return {
        events: page,
        nextPageToken: left.length > page.length ? (page.at(-1)?.id ?? '') : '',
      };
    },
    listUsers: ({ email }: { email: string }) => ({
      users: email === 'ana@example.com' ? [User.fromPartial({ id: userId, email })] : [],
      nextPageToken: '',
    }),
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const run = (line = '') =>
  cli.run(['audit', 'log', ...line.split(' ').filter((word) => word !== '')]);

type Printed = {
  items: { id: string; service: Service; occurredAt: string }[];
  nextPageToken?: string;
  missingServices?: string[];
};
const json = async (line = ''): Promise<Printed> =>
  JSON.parse((await run(`${line} --json`)).out) as Printed;

/** All ids, in the order that the logs as one have. */
const allIds = (): string[] =>
  Object.values(logs)
    .flat()
    .sort((a, b) => (b.occurredAt?.getTime() ?? 0) - (a.occurredAt?.getTime() ?? 0))
    .map(({ id }) => id);

describe('audit log', () => {
  test('audit log merges the logs of all services, newest first', async () => {
    const all = await json('--all');
    expect(all.items.map(({ id }) => id)).toEqual(allIds());
    expect(all.nextPageToken).toBeUndefined();
    expect(all.items[0]).toEqual({
      ...{ id: 'auth-0', service: 'auth', occurredAt: '2026-11-22T12:00:00.000Z', actor: userId },
      ...{ actorRole: 'admin', action: 'auth.do', target: evil, result: 'ok', requestId: 'r' },
      details: { note: evil },
    });
  });

  test.each([1, 7, 50])(
    'audit log pages of %i list each event once, without events that are added meanwhile',
    async (limit) => {
      const expected = allIds();
      const seen: string[] = [];
      let token: string | undefined;
      for (let page = 0; page === 0 || token !== undefined; page += 1) {
        const printed = await json(`--limit ${limit}${token ? ` --page-token ${token}` : ''}`);
        expect(printed.items.length).toBeLessThanOrEqual(limit);
        seen.push(...printed.items.map(({ id }) => id));
        token = printed.nextPageToken;
        if (page < 3) logs.auth.unshift(event('auth', 1000 + page, -60 - page));
      }
      expect(seen).toEqual(expected);
    },
  );

  test('an audit table, and CSV at a terminal, have no characters that control it', async () => {
    const ran = await run('--limit 3 --timezone UTC');
    expect(ran.out).toMatch(/^TIME +SERVICE +ACTION +RESULT +ACTOR +AS +TARGET +DETAILS\n/);
    expect(ran.out).not.toMatch(/[\u001b\u202e]/);
    expect(ran.err).toContain('--page-token');
    const csv = (isTerminal: boolean) =>
      cli.run(['audit', 'log', '--limit', '1', '-o', 'csv'], { isTerminal });
    const rows = (target: string) => [
      'occurred_at,service,action,result,actor,actor_email,actor_role,target,target_email,' +
        'details,request_id,id',
      `2026-11-22T12:00:00.000Z,auth,auth.do,ok,${userId},,admin,${target},,` +
        '"{""note"":""a\\u001b[31m\\u202eb""}",r,auth-0',
      '',
    ];
    expect((await csv(true)).out.split('\r\n')).toEqual(rows('a[31mb'));
    // A file or a pipe gets each text as it is.
    expect((await csv(false)).out.split('\r\n')).toEqual(rows(evil));
  });

  test('audit log sends its filters to each service, with the id of a known address', async () => {
    const line = '--actor ana@example.com --target bob@example.com --action user.update';
    await run(`${line} --from 2026-11-01 --to 2026-11-02 --timezone UTC`);
    expect([...new Set(requests.map(({ service }) => service))].sort()).toEqual([
      'auth',
      'statement',
      'wallet',
    ]);
    for (const request of requests) {
      expect(request).toMatchObject({
        actor: userId,
        target: 'bob@example.com',
        action: 'user.update',
        from: new Date('2026-11-01T00:00:00Z'),
        to: new Date('2026-11-03T00:00:00Z'),
      });
    }
  });

  test('audit log takes a month, and says on stderr what range that is', async () => {
    const ran = await run('--month 2026-10 --timezone Europe/Berlin');
    for (const request of requests) {
      expect(request).toMatchObject({
        from: new Date('2026-09-30T22:00:00Z'),
        to: new Date('2026-10-31T23:00:00Z'),
      });
    }
    expect(new Set(requests.map(({ service }) => service)).size).toBe(3);
    expect(ran.err).toContain('note: from 2026-10-01 00:00:00 to 2026-11-01 00:00:00');
  });

  test('audit log --service requests the log of that service only', async () => {
    const printed = await json('--service statement');
    expect(printed.items.map(({ id }) => id)).toEqual([
      'statement-0',
      'statement-1',
      'statement-2',
    ]);
    expect(requests).toHaveLength(1);
  });

  test.each([
    ['--service ledger', 'service'],
    ['--from 2026-11-02 --to 2026-11-01', 'from'],
    ['--from tomorrow', 'from'],
    ['--from recently', 'from'],
    ['--last 7d --from yesterday', 'last'],
    ['--page-token abc', 'page_token'],
    ['--page-token eyJzZXJ2aWNlcyI6WyJhdXRoIl0sImF0Ijp7fX0', 'page_token'],
  ])('audit log %s is refused before anything is sent', async (line, field) => {
    const ran = await run(`${line} --json`);
    expect(ran.exitCode).toBe(2);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { field } });
    expect(requests).toEqual([]);
  });

  test('a page token of other services is refused with PAGE_TOKEN_INVALID', async () => {
    const { nextPageToken } = await json('--service auth --limit 1');
    expect((await run(`--page-token ${nextPageToken ?? ''} --json`)).err).toContain(
      'PAGE_TOKEN_INVALID',
    );
  });
});

describe('unavailable services', () => {
  test('audit log without one service warns, and continues later by a page token', async () => {
    answers.wallet = () => refusal('DATABASE_UNAVAILABLE', 'the database does not answer');
    const ran = await run('--all --json --quiet');
    expect(ran.exitCode).toBe(10);
    const printed = JSON.parse(ran.out) as Printed;
    expect(printed.items.map(({ id }) => id)).toEqual(
      allIds().filter((id) => !id.startsWith('wallet')),
    );
    expect(printed.missingServices).toEqual(['wallet']);
    expect(JSON.parse(ran.err)).toMatchObject({
      warning: { message: expect.stringContaining('wallet service are missing') as string },
    });
    answers = {};
    const later = await json(`--all --page-token ${printed.nextPageToken ?? ''}`);
    expect(later.items.map(({ id }) => id)).toEqual(logs.wallet.map(({ id }) => id));
    expect(later.nextPageToken).toBeUndefined();
  });

  test('after a failure between pages, a later page token yields the other events', async () => {
    let calls = 0;
    answers.auth = () => {
      calls += 1;
      return calls > 1 ? refusal('SHUTTING_DOWN', 'bye') : (undefined as unknown as Error);
    };
    const ran = await run('--all --json');
    expect(ran.exitCode).toBe(10);
    const printed = JSON.parse(ran.out) as Printed;
    answers = {};
    const later = await json(`--all --page-token ${printed.nextPageToken ?? ''}`);
    const seen = [...printed.items, ...later.items].map(({ id }) => id);
    expect([...seen].sort()).toEqual(allIds().sort());
  });

  test('a service without an audit log is reported, and yields no page token', async () => {
    answers.statement = () => refusal('UNIMPLEMENTED', 'this server does not offer this call');
    const ran = await run('--all --json');
    expect(ran.exitCode).toBe(10);
    const printed = JSON.parse(ran.out) as Printed;
    expect(printed.missingServices).toEqual(['statement']);
    expect(printed.nextPageToken).toBeUndefined();
  });

  test('audit log fails with exit code 7 if no service is available', async () => {
    server.crash();
    expect(await run('--json')).toMatchObject({ exitCode: 7, out: '' });
  });

  test('PERMISSION_DENIED from one service ends audit log with exit code 8', async () => {
    answers.wallet = () => refusal('PERMISSION_DENIED', 'a customer may not do this');
    expect(await run('--json')).toMatchObject({ exitCode: 8, out: '' });
  });
});
