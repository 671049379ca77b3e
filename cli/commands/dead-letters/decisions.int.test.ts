import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  createCli,
  fakeToken,
  refusal,
  startFakeServer,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';
import {
  createSeen,
  first,
  second,
  missing,
  startDeadLetterServer,
  type Seen,
} from './test-support.ts';

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

describe('dead-letters replay', () => {
  test('dead-letters replay sends each id once, and prints the new state', async () => {
    const ran = await run(`replay ${first} ${second} ${first} --service statement -y --json`);
    expect(ran).toMatchObject({ exitCode: 0, err: '' });
    expect(seen.replays).toEqual([
      { deadLetterIds: [first, second], body: undefined, messageId: undefined, dryRun: false },
    ]);
    expect(seen.paths).toEqual(['/digitalwallet.statement.v1.StatementService/ReplayDeadLetters']);
    expect(JSON.parse(ran.out)).toMatchObject({
      items: [
        { id: first, state: 'replayed', service: 'statement' },
        { id: second, state: 'replayed' },
      ],
    });
  });

  test('dead-letters replay takes a body from a file or stdin, and a message id', async () => {
    const path = join(cli.configDir, '..', 'body.json');
    await writeFile(path, '\ufeff{"a":"é"}\n');
    expect((await run(`replay ${first} -y --body ${path} --message-id k1`)).exitCode).toBe(0);
    expect((await run(`replay ${first} -y --body -`, { stdin: '{}' })).exitCode).toBe(0);
    expect(seen.replays[0]).toMatchObject({ body: '{"a":"é"}\n', messageId: 'k1' });
    expect(seen.replays[1]).toMatchObject({ body: '{}', messageId: undefined });
  });

  test.each([
    ['one body for two', `${first} ${second} --body -`, 'body'],
    ['one key for two', `${first} ${second} --message-id k`, 'message_id'],
    ['a key that is too long', `${first} --message-id ${'k'.repeat(256)}`, 'message_id'],
    ['an empty body', `${first} --body -`, 'body'],
    ['a body that is not there', `${first} --body /nowhere/body.json`, 'body'],
  ])('a replay with %s is refused before anything is sent', async (_name, line, field) => {
    const ran = await run(`replay ${line} -y --json`);
    expect(ran.exitCode).toBe(2);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { field } });
    expect(seen.replays).toEqual([]);
  });

  test('a replay body over 128 KiB or not in UTF-8 is not sent', async () => {
    const path = join(cli.configDir, '..', 'body.bin');
    await writeFile(path, Buffer.from([0x22, 0xff, 0x22]));
    expect((await run(`replay ${first} -y --body ${path}`)).err).toContain('must be UTF-8');
    const stdin = 'x'.repeat(128 * 1024 + 1);
    expect((await run(`replay ${first} -y --body -`, { stdin })).err).toContain('at most 128 KiB');
    expect(seen.replays).toEqual([]);
  });

  test('a dry-run replay asks for no confirmation and is marked in the data', async () => {
    const ran = await run(`replay ${first} --dry-run --json`);
    expect(ran.exitCode).toBe(0);
    expect(seen.replays[0]).toMatchObject({ dryRun: true });
    expect(JSON.parse(ran.out)).toMatchObject({ items: [{ state: 'pending', dryRun: true }] });
    expect((await run(`replay ${first} --dry-run`)).out).toContain('nothing was changed');
  });

  test('a replay of a dead letter with an earlier decision ends with exit code 6', async () => {
    const ran = await run(`replay ${missing} -y --json`);
    expect(ran.exitCode).toBe(6);
    expect(JSON.parse(ran.err)).toMatchObject({ error: { reason: 'DEAD_LETTER_RESOLVED' } });
  });

  test('a replay of unknown outcome ends with exit code 9, and is not retried', async () => {
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

describe('confirmation', () => {
  test('dead-letters replay and discard without a terminal need --yes', async () => {
    const ran = await run(`replay ${first}`);
    expect(ran).toMatchObject({ exitCode: 2 });
    expect(ran.err).toContain('CONFIRMATION_REQUIRED');
    expect((await run(`discard ${first}`)).exitCode).toBe(2);
    const ofTerminal = await run(`replay ${first} --body -`, { isTerminal: true });
    expect(ofTerminal.err).toContain('is read from stdin, which is a terminal');
    expect([...seen.replays, ...seen.discards]).toEqual([]);
  });

  test('a confirmation shows server, role and dead letters; declining ends with 130', async () => {
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
    expect(seen.discards).toEqual([]);
  });

  test('a discard of an unknown dead letter fails before the confirmation', async () => {
    const ran = await run(`discard ${first} ${missing}`, { isTerminal: true });
    expect(ran.exitCode).toBe(5);
    expect(ran.err).toContain(missing);
  });

  test('a confirmed discard is sent with its note', async () => {
    const prompter = { confirm: () => Promise.resolve(true) };
    const ran = await run(`discard ${first} --note why`, { isTerminal: true, prompter });
    expect(ran.exitCode).toBe(0);
    expect(seen.discards).toEqual([{ deadLetterIds: [first], note: 'why', dryRun: false }]);
  });
});
