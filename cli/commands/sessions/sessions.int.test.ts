import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  Role,
  SessionKind,
  User,
  type GetUserRequest,
  type ListSessionsRequest,
  type ResolveUsersRequest,
  type RevokeSessionRequest,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  createCli,
  fakeToken,
  startFakeServer,
  userId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const otherId = '1f6c1c0e-9a57-4b5e-8f0a-0d7d6a9a7f10';
const sessionId = '7d0b9a52-33c4-4f6e-9c0d-2b8e5a1f4c66';
const evil = 'wallet on \u001b[2Jhost\u202e';

let cli: Cli;
let server: FakeServer;
let sessionLists: ListSessionsRequest[];
let revokes: RevokeSessionRequest[];

const account = (id: string): User =>
  User.fromPartial({
    ...{ id, email: id === userId ? 'op@example.com' : 'ana@example.com' },
    role: id === userId ? Role.ADMIN : Role.CUSTOMER,
  });

beforeEach(async () => {
  [sessionLists, revokes] = [[], []];
  server = await startFakeServer({
    getUser: ({ userId: id }: GetUserRequest) => ({ user: account(id === '' ? userId : id) }),
    resolveUsers: ({ emails, userIds }: ResolveUsersRequest) => ({
      users: emails.includes('bob@example.com') || userIds.length > 0 ? [account(otherId)] : [],
    }),
    listSessions: (request: ListSessionsRequest) => {
      sessionLists.push(request);
      const session = { userId, client: evil, createdAt: new Date(0), lastUsedAt: new Date(1000) };
      return {
        sessions: [
          {
            ...{ ...session, id: sessionId, current: true, expiresAt: new Date(4e12) },
            kind: SessionKind.BROWSER,
          },
          { ...session, id: otherId, current: false, client: '', kind: SessionKind.TOKENS },
        ],
        nextPageToken: '',
      };
    },
    revokeSession: (request: RevokeSessionRequest) => {
      revokes.push(request);
      return { revoked: request.target?.$case === 'sessionId' ? 1 : 3 };
    },
  });
  const token = fakeToken(userId, { sid: sessionId });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: token });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const run = (line: string, options?: Parameters<Cli['run']>[1]) =>
  cli.run(line.split(' '), options);

const answering = (isYes: boolean, questions: string[]) => ({
  isTerminal: true,
  prompter: {
    confirm: (question: string) => {
      questions.push(question);
      return Promise.resolve(isYes);
    },
  },
});

describe('sessions', () => {
  test('sessions list marks the session in use, and strips control characters', async () => {
    const ran = await run('sessions list --timezone UTC');
    expect(ran.out).toMatch(new RegExp(`${sessionId} +\\* +wallet on \\[2Jhost `));
    expect(ran.out).not.toContain('\u001b');
    const json = JSON.parse((await run('sessions list --json')).out) as { items: unknown[] };
    expect(json.items[1]).toEqual({
      ...{ id: otherId, userId, current: false, createdAt: '1970-01-01T00:00:00.000Z' },
      ...{ lastUsedAt: '1970-01-01T00:00:01.000Z', kind: 'tokens' },
    });
    expect(json.items[0]).toMatchObject({ id: sessionId, kind: 'browser' });
    expect(sessionLists[0]).toEqual({ userId: '', pageSize: 50, pageToken: '' });
  });

  test('sessions list --user resolves an address, and suggests users list if unknown', async () => {
    await run('sessions list --user bob@example.com');
    expect(sessionLists[0]).toMatchObject({ userId: otherId });
    const unverified = await run('sessions list --user ana@example.com --json');
    expect(unverified.exitCode).toBe(5);
    expect(unverified.err).toContain('wallet users list --email ana@example.com');
  });

  test('sessions revoke ends one session, and warns if it is the one in use', async () => {
    const other = await run(`sessions revoke ${otherId} -y --json`);
    expect(other).toMatchObject({ exitCode: 0, err: '' });
    expect(JSON.parse(other.out)).toEqual({ revoked: 1 });
    const own = await run(`sessions revoke ${sessionId} -y`);
    expect(own.err).toContain('this is the session in use');
    expect(revokes.map(({ target }) => target)).toEqual([
      { $case: 'sessionId', value: otherId },
      { $case: 'sessionId', value: sessionId },
    ]);
  });

  test('sessions revoke --all ends the sessions of the caller, or of --user', async () => {
    const own = await run('sessions revoke --all -y');
    expect(own.err).toContain('the session in use is among them');
    const others = await run('sessions revoke --all --user bob@example.com -y');
    expect(others).toMatchObject({ exitCode: 0, err: '', out: 'revoked  3\n' });
    expect(revokes.map(({ target }) => target)).toEqual([
      { $case: 'allOfUserId', value: userId },
      { $case: 'allOfUserId', value: otherId },
    ]);
  });

  test('sessions revoke asks with the server, the role and the user', async () => {
    const questions: string[] = [];
    const ran = await run(
      'sessions revoke --all --user bob@example.com',
      answering(false, questions),
    );
    expect(ran.exitCode).toBe(130);
    expect(questions).toEqual(['End all sessions of ana@example.com?']);
    for (const shown of [server.address, 'admin', otherId]) expect(ran.err).toContain(shown);
    expect(revokes).toEqual([]);
  });

  test.each([
    ['revoke -y', 'session_id'],
    [`revoke ${otherId} --all -y`, 'session_id'],
    [`revoke ${otherId} --user ${otherId} -y`, 'user'],
    ['revoke abc -y', 'session_id'],
  ])('sessions %s is refused before anything is sent', async (line, field) => {
    const ran = await run(`sessions ${line} --json`);
    expect(ran.exitCode).toBe(2);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { field } });
    expect(revokes).toEqual([]);
  });
});
