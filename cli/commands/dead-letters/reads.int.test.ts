import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { DeadLetterState } from '../../../protos/gen/digitalwallet/common/v1/dead_letter.ts';
import { createCli, fakeToken, type Cli, type FakeServer } from '../../test-support.ts';
import { createSeen, first, missing, startDeadLetterServer, type Seen } from './test-support.ts';

let cli: Cli;
let server: FakeServer;
let seen: Seen;

beforeEach(async () => {
  seen = createSeen();
  server = await startDeadLetterServer(seen);
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const run = (line: string, options?: Parameters<Cli['run']>[1]) =>
  cli.run(['dead-letters', ...line.split(' ')], options);

describe('dead-letters list', () => {
  test('dead letters are listed from the wallet service, pending ones by default', async () => {
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
          body: '{"data":{"amount":1.10,"note":"\u009b2J\u202e"}}',
          state: 'pending',
          createdAt: '2026-11-22T12:00:00.123Z',
        },
      ],
      nextPageToken: 'one',
    });
    const asked = { pageSize: 1, state: DeadLetterState.PENDING, reason: '', deadLetterIds: [] };
    expect(seen.lists).toEqual([{ ...asked, pageToken: '' }]);
    expect(seen.paths).toEqual(['/digitalwallet.wallet.v1.WalletService/ListDeadLetters']);
  });

  test('dead letters of another service, state and reason are listed page by page', async () => {
    const ran = await run('list --all --service statement --state discarded --reason X -o ndjson');
    expect(ran.out.trimEnd().split('\n')).toHaveLength(150);
    expect(JSON.parse(ran.out.split('\n')[0]!)).toMatchObject({ service: 'statement' });
    expect(seen.lists.map(({ pageToken }) => pageToken)).toEqual(['', 'one', 'two']);
    expect(seen.lists[0]).toMatchObject({ state: DeadLetterState.DISCARDED, reason: 'X' });
    expect(new Set(seen.paths)).toEqual(
      new Set(['/digitalwallet.statement.v1.StatementService/ListDeadLetters']),
    );
  });

  test('dead letters are listed as CSV with all columns', async () => {
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
  ])('dead-letters list %s is refused before anything is sent', async (options, field) => {
    const ran = await run(`list ${options} --json`);
    expect(ran.exitCode).toBe(2);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'USAGE', field } });
    expect(seen.lists).toEqual([]);
  });
});

describe('dead-letters show', () => {
  test('dead-letters show prints how often and when a message was received', async () => {
    seen.received = { receivedCount: 3, receivedAt: new Date('2026-11-23T12:00:00Z') };
    const ran = await run(`show ${first} --timezone UTC`);
    expect(ran.out).toMatch(/received +3 times\n/);
    expect(ran.out).toMatch(/last received +2026-11-23/);
    const json = (await run(`show ${first} --json`)).out;
    expect(json).toMatch(/"receivedCount": ?3,\s*"receivedAt": ?"2026-11-23T12:00:00.000Z"/);
  });

  test('a dead letter is shown in any state, with its body on several lines', async () => {
    const ran = await run(`show ${first.toUpperCase()} --timezone UTC`);
    expect(ran.exitCode).toBe(0);
    expect(seen.lists[0]).toMatchObject({
      deadLetterIds: [first],
      state: DeadLetterState.UNSPECIFIED,
    });
    expect(ran.out).toContain('state    pending\n');
    expect(ran.out).not.toContain('decided');
    expect(ran.out).toContain(
      '\n\n{\n  "data": {\n    "amount": 1.10,\n    "note": "2J"\n  }\n}\n',
    );
  });

  test('dead-letters show of an unknown id ends with exit code 5', async () => {
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
