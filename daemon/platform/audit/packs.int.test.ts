import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, it } from 'vitest';

import { createTestDatabase, type TestDatabase } from '../../../tests/support/postgres/database.ts';
import { appendAudits, type AuditActor, type AuditEntry } from './audit.ts';
import { appendPacks } from './packs.ts';
import { createAuditHandlers } from './wire.ts';

let test: TestDatabase;

beforeAll(async () => {
  test = await createTestDatabase('wallet');
  await record();
});
afterAll(() => test.drop());

const users = Array.from({ length: 5 }, () => randomUUID());
const [ana = '', bia = ''] = users;
const keyId = randomUUID();

function actorOf(userId: string, hasKey: boolean): AuditActor {
  const apiKey = { keyId, userId, role: 'operator', scopes: [], walletId: undefined } as const;
  const rest = { operations: [], expiresAtMs: Infinity, hasOwnerTotp: false };
  return {
    principal: {
      kind: 'user',
      userId,
      role: 'operator',
      sessionId: 's',
      apiKey: hasKey ? { ...apiKey, ...rest } : undefined,
    },
    requestId: `request\0 ${randomUUID()}`,
  };
}

/** The nth line of a commit: about one of the users, or the same one as the line before. */
const entryOf = (actor: string, hasKey: boolean, n: number): AuditEntry => {
  const target = users[n % 3] ?? '';
  const details = { userId: target, amount: `${n}.00`, note: `"${n}" \0` };
  return {
    actor: actorOf(actor, hasKey),
    line: { action: 'transaction.create', target, result: 'ok', details },
  };
};

type Line = {
  readonly commit: number;
  readonly actor: string;
  readonly action: string;
  readonly target: string;
  readonly requestId: string;
  readonly details: object;
};

/** What the log must have, the newest line first: a line for each thing that was done. */
const expected: Line[] = [];
const commits = 12;

/** Commits with packed rows of several sizes, and a row of one line between any two. */
async function record(): Promise<void> {
  for (let commit = 0; commit < commits; commit += 1) {
    const [actor, hasKey] = [commit % 2 === 0 ? ana : bia, commit % 3 === 0];
    const packed = Array.from({ length: 2 + 3 * commit }, (_, n) => entryOf(actor, hasKey, n));
    const alone: AuditEntry = {
      actor: actorOf(actor, false),
      line: { action: 'wallet.get', target: users[commit % 5] ?? '', result: 'ok' },
    };
    await test.db.tx(async (tx) => {
      await appendPacks(tx, [{ id: randomUUID(), entries: packed }]);
      await appendAudits(tx, [alone]);
    });
    expected.unshift(...[...packed, alone].map((entry) => toLine(entry, commit)).reverse());
  }
}

function toLine({ actor, line }: AuditEntry, commit: number): Line {
  const { principal, requestId } = actor;
  const key = principal.kind === 'user' && principal.apiKey ? { apiKeyId: keyId } : {};
  const details: Record<string, string> = {};
  for (const [name, text] of Object.entries(line.details ?? {})) details[name] = clean(text);
  return {
    commit,
    actor: principal.kind === 'user' ? principal.userId : '',
    action: line.action,
    target: line.target,
    requestId: clean(requestId),
    details: { ...details, ...key },
  };
}

const clean = (text: string): string => text.replaceAll('\0', '\ufffd');

type Filter = Partial<Parameters<ReturnType<typeof createAuditHandlers>['listAuditEvents']>[0]>;

const listPage = async (filter: Filter) => {
  const request = { pageSize: 0, pageToken: '', actor: '', target: '', action: '', ...filter };
  const listed = await createAuditHandlers(test).listAuditEvents(request);
  if (!listed.ok) throw new Error(listed.rejection.message);
  return listed.value;
};

async function listAll(filter: Filter, pageSize: number) {
  const pages = [];
  for (let pageToken = ''; ;) {
    const page = await listPage({ ...filter, pageSize, pageToken });
    pages.push(page.events);
    pageToken = page.nextPageToken;
    if (pageToken === '') return pages;
  }
}

const filters: readonly Filter[] = [
  ...[{}, { actor: ana }, { actor: bia, action: 'transaction.create' }],
  ...[{ action: 'wallet.get' }, { action: 'transaction.create' }, { action: 'none' }],
  ...users.map((target) => ({ target })),
  ...[{ target: ana, actor: bia }, { target: bia, action: 'wallet.get' }, { target: 'no id' }],
];

describe('packed rows of the audit log', () => {
  it.each(filters)(
    'the lines of %o are listed one by one, in pages of any size',
    async (filter) => {
      const wanted = expected.filter(
        (line) =>
          (filter.actor ?? line.actor) === line.actor &&
          (filter.target ?? line.target) === line.target &&
          (filter.action ?? line.action) === line.action,
      );
      for (const pageSize of [1, 2, 7, 50, 500]) {
        const pages = await listAll(filter, pageSize);
        const events = pages.flat();
        expect(events).toMatchObject(wanted.map(({ commit: _commit, ...line }) => line));
        expect(events.map(({ details }) => details)).toEqual(wanted.map(({ details }) => details));
        expect(new Set(events.map(({ id }) => id)).size).toBe(wanted.length);
        expect(pages.slice(0, -1).every((page) => page.length === pageSize)).toBe(true);
      }
    },
  );

  it('a line has the same id whatever it is listed by', async () => {
    const all = new Set((await listPage({ pageSize: 500 })).events.map(({ id }) => id));
    expect(all.size).toBe(expected.length);
    for (const filter of filters) {
      const { events } = await listPage({ ...filter, pageSize: 500 });
      expect(events.filter(({ id }) => !all.has(id))).toEqual([]);
    }
  });

  it('times from and to bound the lines of packed rows', async () => {
    const { events } = await listPage({ pageSize: 500 });
    const [newest, oldest] = [events[0]?.occurredAt, events.at(-1)?.occurredAt];
    if (!newest || !oldest) throw new Error('no lines');
    const justAfter = new Date(newest.getTime() + 1);
    for (const target of ['', ana]) {
      const wanted = expected.filter((line) => target === '' || line.target === target);
      const bounds = { target, pageSize: 500 };
      expect((await listPage({ ...bounds, from: oldest, to: justAfter })).events).toHaveLength(
        wanted.length,
      );
      expect((await listPage({ ...bounds, from: justAfter })).events).toEqual([]);
      expect((await listPage({ ...bounds, to: oldest })).events).toEqual([]);
    }
  });

  it('a row is there once for all lines of a commit and actor', async () => {
    const [rows] = await test.query<{ rows: number; lines: number }>(
      `SELECT count(*)::int AS rows, sum(line_count)::int AS lines FROM audit_log`,
    );
    expect(rows).toEqual({ rows: 2 * commits, lines: expected.length });
  });

  it('lines of different details do not become one row', async () => {
    const entries = [entryOf(ana, false, 1), entryOf(ana, false, 2)];
    const [first, second] = entries;
    if (!first || !second) throw new Error('no entries');
    const other = { ...second, line: { ...second.line, details: { userId: 'x' } } };
    const pack = { id: randomUUID(), entries: [first, other] };
    await expect(test.db.tx((tx) => appendPacks(tx, [pack]))).rejects.toThrow('amount');
  });
});

describe('database role of the daemon', () => {
  it.each([
    'UPDATE audit_log SET lines = NULL',
    'UPDATE audit_targets SET target = target',
    'DELETE FROM audit_targets',
    'TRUNCATE audit_targets',
  ])('the database role of the daemon may not %s', async (text) => {
    const tried = test.db.tx((tx) => tx.execute({ name: text.slice(0, 60), text }));
    await expect(tried).rejects.toMatchObject({ code: '42501' });
  });
});
