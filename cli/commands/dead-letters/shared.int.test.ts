import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  DeadLetter,
  DeadLetterState,
} from '../../../protos/gen/digitalwallet/common/v1/dead_letter.ts';
import type {
  DiscardDeadLettersRequest,
  ListDeadLettersRequest,
  ReplayDeadLettersRequest,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

let cli: Cli;
let server: FakeServer;
let lists: ListDeadLettersRequest[];
let replays: ReplayDeadLettersRequest[];
let discards: DiscardDeadLettersRequest[];
let paths: string[];
let received: Pick<DeadLetter, 'receivedCount' | 'receivedAt'> | undefined;

const first = '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11';
const second = '3d0a7a4e-5c0b-4f0e-8a51-64a6c1b0e922';
const missing = 'ffffffff-ffff-4fff-8fff-ffffffffffff';

const letter = (id: string, state: DeadLetterState = DeadLetterState.PENDING) =>
  DeadLetter.fromPartial({
    id,
    queue: 'wallet_queue',
    reason: 'AMOUNT_INVALID',
    field: 'amount',
    body: '{"data":{"amount":1.10,"note":"\u009b2J\u202e"}}',
    state,
    createdAt: new Date('2026-11-22T12:00:00.123Z'),
    ...received,
  });

beforeEach(async () => {
  lists = [];
  replays = [];
  discards = [];
  [paths, received] = [[], undefined];
  server = await startFakeServer({
    listDeadLetters: (request: ListDeadLettersRequest, call) => {
      paths.push((call as unknown as { getPath(): string }).getPath());
      lists.push(request);
      const { deadLetterIds, pageToken, pageSize } = request;
      if (deadLetterIds.length > 0) {
        const known = deadLetterIds.filter((id) => id !== missing);
        return { deadLetters: known.map((id) => letter(id)), nextPageToken: '' };
      }
      const deadLetters = Array.from({ length: pageSize }, () => letter(first));
      return { deadLetters, nextPageToken: pageToken === 'two' ? '' : pageToken ? 'two' : 'one' };
    },
    replayDeadLetters: (request: ReplayDeadLettersRequest, call) => {
      paths.push((call as unknown as { getPath(): string }).getPath());
      replays.push(request);
      if (request.deadLetterIds.includes(missing)) {
        return refusal('DEAD_LETTER_RESOLVED', 'it was replayed before');
      }
      const state = request.dryRun ? DeadLetterState.PENDING : DeadLetterState.REPLAYED;
      return { deadLetters: request.deadLetterIds.map((id) => letter(id, state)) };
    },
    discardDeadLetters: (request: DiscardDeadLettersRequest) => {
      discards.push(request);
      const { deadLetterIds } = request;
      return { deadLetters: deadLetterIds.map((id) => letter(id, DeadLetterState.DISCARDED)) };
    },
    getUser: () => ({ user: { id: userId, email: 'op@example.com', role: 2 } }),
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const run = (line: string, options?: Parameters<Cli['run']>[1]) =>
  cli.run(['dead-letters', ...line.split(' ')], options);

describe('dead-letters list', () => {
  test('asks for the pending ones of the wallet service', async () => {
    const ran = await run('list --limit 1 --json --timezone UTC');
    expect(ran).toMatchObject({ exitCode: 0, err: '' });
    expect(JSON.parse(ran.out)).toEqual({
      items: [
        {
          id: first,
          service: 'wallet',
          queue: 'wallet_queue',
          reason: 'AMOUNT_INVALID',
          field: 'amount',
          body: letter(first).body,
          state: 'pending',
          createdAt: '2026-11-22T12:00:00.123Z',
        },
      ],
      nextPageToken: 'one',
    });
    const asked = { pageSize: 1, state: DeadLetterState.PENDING, reason: '', deadLetterIds: [] };
    expect(lists).toEqual([{ ...asked, pageToken: '' }]);
    expect(paths).toEqual(['/digitalwallet.wallet.v1.WalletService/ListDeadLetters']);
  });

  test('pages through all of another service, state and reason', async () => {
    const ran = await run('list --all --service statement --state discarded --reason X -o ndjson');
    expect(ran.out.trimEnd().split('\n')).toHaveLength(150);
    expect(JSON.parse(ran.out.split('\n')[0]!)).toMatchObject({ service: 'statement' });
    expect(lists.map(({ pageToken }) => pageToken)).toEqual(['', 'one', 'two']);
    expect(lists[0]).toMatchObject({ state: DeadLetterState.DISCARDED, reason: 'X' });
    expect(new Set(paths)).toEqual(
      new Set(['/digitalwallet.statement.v1.StatementService/ListDeadLetters']),
    );
  });

  test('has CSV with a column for each key', async () => {
    const ran = await run('list --limit 1 -o csv');
    expect(ran.out.split('\r\n')[0]).toBe(
      'created_at,id,state,service,queue,reason,field,message_id,body,decided_at,decided_by',
    );
  });

  test.each([
    ['--service auth', 'service'],
    ['--state all', 'state'],
    ['--limit 0', 'limit'],
    ['--limit 1 --all', 'all'],
  ])('%s is refused before anything is sent', async (options, field) => {
    const ran = await run(`list ${options} --json`);
    expect(ran.exitCode).toBe(2);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'USAGE', field } });
    expect(lists).toEqual([]);
  });
});

describe('dead-letters show', () => {
  test('says how often a message came, where it came again', async () => {
    received = { receivedCount: 3, receivedAt: new Date('2026-11-23T12:00:00Z') };
    const ran = await run(`show ${first} --timezone UTC`);
    expect(ran.out).toMatch(/received +3 times\n/);
    expect(ran.out).toMatch(/last received +2026-11-23/);
    const json = (await run(`show ${first} --json`)).out;
    expect(json).toMatch(/"receivedCount": ?3,\s*"receivedAt": ?"2026-11-23T12:00:00.000Z"/);
  });

  test('asks for one in any state, and spreads its body out', async () => {
    const ran = await run(`show ${first.toUpperCase()} --timezone UTC`);
    expect(ran.exitCode).toBe(0);
    expect(lists[0]).toMatchObject({ deadLetterIds: [first], state: DeadLetterState.UNSPECIFIED });
    expect(ran.out).toContain('state    pending\n');
    expect(ran.out).not.toContain('decided');
    expect(ran.out).toContain(
      '\n\n{\n  "data": {\n    "amount": 1.10,\n    "note": "2J"\n  }\n}\n',
    );
  });

  test('one that is not there ends with 5', async () => {
    const ran = await run(`show ${missing} --service statement --json`);
    expect(ran.exitCode).toBe(5);
    expect(JSON.parse(ran.err)).toMatchObject({
      error: {
        reason: 'DEAD_LETTER_NOT_FOUND',
        hint: 'wallet dead-letters list --service statement',
      },
    });
  });
});

describe('dead-letters replay', () => {
  test('sends each id once, and prints what became of it', async () => {
    const ran = await run(`replay ${first} ${second} ${first} --service statement -y --json`);
    expect(ran).toMatchObject({ exitCode: 0, err: '' });
    expect(replays).toEqual([
      { deadLetterIds: [first, second], body: undefined, messageId: undefined, dryRun: false },
    ]);
    expect(paths).toEqual(['/digitalwallet.statement.v1.StatementService/ReplayDeadLetters']);
    expect(JSON.parse(ran.out)).toMatchObject({
      items: [
        { id: first, state: 'replayed', service: 'statement' },
        { id: second, state: 'replayed' },
      ],
    });
  });

  test('takes a corrected body from a file or stdin, and a key', async () => {
    const path = join(cli.configDir, '..', 'body.json');
    await writeFile(path, '\ufeff{"a":"é"}\n');
    expect((await run(`replay ${first} -y --body ${path} --message-id k1`)).exitCode).toBe(0);
    expect((await run(`replay ${first} -y --body -`, { stdin: '{}' })).exitCode).toBe(0);
    expect(replays[0]).toMatchObject({ body: '{"a":"é"}\n', messageId: 'k1' });
    expect(replays[1]).toMatchObject({ body: '{}', messageId: undefined });
  });

  test.each([
    ['one body for two', `${first} ${second} --body -`, 'body'],
    ['one key for two', `${first} ${second} --message-id k`, 'message_id'],
    ['a key that is too long', `${first} --message-id ${'k'.repeat(256)}`, 'message_id'],
    ['an empty body', `${first} --body -`, 'body'],
    ['a body that is not there', `${first} --body /nowhere/body.json`, 'body'],
  ])('%s is refused before anything is sent', async (_name, line, field) => {
    const ran = await run(`replay ${line} -y --json`);
    expect(ran.exitCode).toBe(2);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { field } });
    expect(replays).toEqual([]);
  });

  test('a body that is too long or not UTF-8 is not sent', async () => {
    const path = join(cli.configDir, '..', 'body.bin');
    await writeFile(path, Buffer.from([0x22, 0xff, 0x22]));
    expect((await run(`replay ${first} -y --body ${path}`)).err).toContain('must be UTF-8');
    const stdin = 'x'.repeat(128 * 1024 + 1);
    expect((await run(`replay ${first} -y --body -`, { stdin })).err).toContain('at most 128 KiB');
    expect(replays).toEqual([]);
  });

  test('a dry run asks nobody, and says so with the data', async () => {
    const ran = await run(`replay ${first} --dry-run --json`);
    expect(ran.exitCode).toBe(0);
    expect(replays[0]).toMatchObject({ dryRun: true });
    expect(JSON.parse(ran.out)).toMatchObject({ items: [{ state: 'pending', dryRun: true }] });
    expect((await run(`replay ${first} --dry-run`)).out).toContain('nothing was changed');
  });

  test('one decided on before ends with 6', async () => {
    const ran = await run(`replay ${missing} -y --json`);
    expect(ran.exitCode).toBe(6);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'DEAD_LETTER_RESOLVED' } });
  });

  test('an unknown outcome ends with 9, and is not tried again by itself', async () => {
    server.crash();
    let calls = 0;
    const port = Number(server.address.split(':')[1]);
    server = await startFakeServer(
      {
        replayDeadLetters: () => {
          calls += 1;
          return refusal('OUTCOME_UNKNOWN', 'lost');
        },
      },
      port,
    );
    expect((await run(`replay ${first} -y`)).exitCode).toBe(9);
    expect(calls).toBe(1);
  });
});

describe('the question', () => {
  test('where nobody can be asked, --yes is missing', async () => {
    const ran = await run(`replay ${first}`);
    expect(ran).toMatchObject({ exitCode: 2 });
    expect(ran.err).toContain('CONFIRMATION_REQUIRED');
    expect((await run(`discard ${first}`)).exitCode).toBe(2);
    const ofTerminal = await run(`replay ${first} --body -`, { isTerminal: true });
    expect(ofTerminal.err).toContain('is read from stdin, which is a terminal');
    expect([...replays, ...discards]).toEqual([]);
  });

  test('shows where, as whom and what; a no ends with 130', async () => {
    const questions: string[] = [];
    const ran = await run(`discard ${first} ${second} --note why`, {
      isTerminal: true,
      prompter: {
        confirm: (question) => {
          questions.push(question);
          return Promise.resolve(false);
        },
      },
    });
    expect(ran).toMatchObject({ exitCode: 130, out: '' });
    expect(questions).toEqual(['Discard these 2 dead letters?']);
    for (const shown of [server.address, 'operator', 'wallet', 'why', first, second, '1.10']) {
      expect(ran.err).toContain(shown);
    }
    expect(ran.err).not.toContain('\u009b');
    expect(discards).toEqual([]);
  });

  test('is not asked about what is not there', async () => {
    const ran = await run(`discard ${first} ${missing}`, { isTerminal: true });
    expect(ran.exitCode).toBe(5);
    expect(ran.err).toContain(missing);
  });

  test('a yes sends it', async () => {
    const prompter = { confirm: () => Promise.resolve(true) };
    const ran = await run(`discard ${first} --note why`, { isTerminal: true, prompter });
    expect(ran.exitCode).toBe(0);
    expect(discards).toEqual([{ deadLetterIds: [first], note: 'why', dryRun: false }]);
  });
});
