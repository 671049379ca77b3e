import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import type { ResolveUsersRequest } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Direction,
  Hold,
  HoldState,
  Operation,
  type CreateTransactionRequest,
  type GetHoldRequest,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import {
  createCli,
  created,
  fakeToken,
  refusal,
  startFakeServer,
  userId,
  walletId,
  type Cli,
  type FakeServer,
} from '../../test-support.ts';

const bia = '1b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a11';
const holdId = '642a0d09-b8ef-5e8c-82b3-a375a5b6aa31';
const placed = Hold.fromPartial({
  ...{ id: holdId, walletId, userId, currency: 'BRL', amountMinor: 5_000n },
  ...{ capturedMinor: 2_000n, leftMinor: 3_000n, state: HoldState.OPEN },
  ...{ contraAccount: 'merchant:Hotel Sol', placedAt: new Date('2026-11-22T12:00:00Z') },
  expiresAt: new Date('2026-11-29T12:00:00Z'),
});

let cli: Cli;
let server: FakeServer;
let requests: CreateTransactionRequest[];
let reads: GetHoldRequest[];
let refused: Error | undefined;
let mayRead: boolean;
let hold: Hold;

beforeEach(async () => {
  [requests, reads, refused, mayRead, hold] = [[], [], undefined, true, placed];
  server = await startFakeServer({
    createTransaction: (request: CreateTransactionRequest) => {
      requests.push(request);
      if (refused) return refused;
      const { transaction } = created(request);
      const direction = Direction.NONE;
      const held = { currency: hold.currency, heldMinor: 5_000n, heldAfterMinor: 5_000n };
      return { transaction: transaction && { ...transaction, direction, ...held }, hold };
    },
    getHold: (request: GetHoldRequest) => {
      reads.push(request);
      return mayRead ? { hold } : refusal('PERMISSION_DENIED', 'this needs another scope');
    },
    listTransactions: ({ operation }: { operation: Operation }) => ({
      transactions:
        operation === Operation.HOLD
          ? [{ ...created({ item: undefined, dryRun: false }).transaction, id: holdId }]
          : [],
      nextPageToken: '',
    }),
    getUser: () => ({ user: { id: bia, email: 'op@example.com', role: 2 } }),
    resolveUsers: ({ userIds, emails }: ResolveUsersRequest) => ({
      users: [
        { id: bia, email: 'bia@example.com', role: 1 },
        { id: userId, email: 'ana@example.com', role: 1 },
      ].filter(({ id, email }) => userIds.includes(id) || emails.includes(email)),
    }),
  });
  cli = await createCli({ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken() });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const run = (line: string, more: readonly string[] = []) => cli.run([...line.split(' '), ...more]);

/** Runs at a terminal, and answers no to the only question. */
async function ask(line: string, more: readonly string[] = []) {
  const asked: string[] = [];
  const confirm = (message: string) => (asked.push(message), Promise.resolve(false));
  const argv = [...line.split(' '), ...more, '--no-color', '--timezone', 'UTC'];
  const given = argv.filter((one) => one !== '--timezone' && one !== 'UTC');
  const env = { WALLET_TIMEZONE: 'UTC' };
  const ran = await cli.run(given, { isTerminal: true, prompter: { confirm }, env });
  return { ...ran, asked };
}

describe('hold', () => {
  test('a hold sends whom it is for and how long it lasts, and prints the hold', async () => {
    const line = 'hold 50 --user ana@example.com --expires-in 7d --yes --json --merchant';
    const ran = await run(line, ['Hotel Sol']);
    expect(ran).toMatchObject({ exitCode: 0, err: '' });
    expect(requests[0]?.item).toMatchObject({
      ...{ userId, operation: Operation.HOLD, amountMinor: 5_000n, merchant: 'Hotel Sol' },
      ...{ expiresInSeconds: 604_800n, expiresAt: undefined, keepRest: undefined },
    });
    expect(JSON.parse(ran.out)).toMatchObject({
      ...{ operation: 'hold', amount: '50.00', held: '50.00', heldAfter: '50.00' },
      ...{ direction: 'none', availableAfter: '73.45' },
      hold: {
        ...{ id: holdId, amount: '50.00', captured: '20.00', left: '30.00', state: 'open' },
        ...{ for: 'merchant:Hotel Sol', expiresAt: '2026-11-29T12:00:00.000Z' },
      },
    });
    const card = await cli.run(['hold', '50', '--user', userId, '--yes'], {
      env: { WALLET_TIMEZONE: 'UTC' },
    });
    expect(card.out).toMatch(/^amount +held 50\.00$/m);
    expect(card.out).toMatch(/^for +Hotel Sol$/m);
    expect(card.out).toMatch(/^hold expires +2026-11-29 12:00:00$/m);
    expect(card.out).toMatch(/^hold left +30\.00 BRL$/m);
  });

  test('a dry run of a hold prints a hold without an id', async () => {
    const ran = await run(`hold 50 --user ${userId} --dry-run --json`);
    expect([ran.exitCode, requests[0]?.dryRun]).toEqual([0, true]);
    expect(JSON.parse(ran.out)).not.toHaveProperty('hold.id');
    expect(JSON.parse(ran.out)).toMatchObject({ dryRun: true, hold: { amount: '50.00' } });
  });

  test('the confirmation of a hold names who is paid and when it ends', async () => {
    const end = '--expires-at 2099-11-29T12:00';
    const { err, asked, exitCode } = await ask(`hold 50 --user ${userId} --to ${bia} ${end}`);
    expect(exitCode).toBe(130);
    expect(err).toMatch(new RegExp(`^user +ana@example.com \\(${userId}\\)$`, 'm'));
    expect(err).toMatch(new RegExp(`^to +bia@example.com \\(${bia}\\)$`, 'm'));
    expect(err).toMatch(/^ends +2099-11-29 12:00:00$/m);
    expect(asked).toEqual(['Hold 50.00 BRL for bia@example.com until 2099-11-29 12:00:00?']);
    const plain = await ask(`hold 50 --user ${userId}`);
    expect(plain.asked).toEqual(['Hold 50.00 BRL for any merchant?']);
    expect(plain.err).toMatch(/^ends +as the server's setting says$/m);
    const soon = await ask(`hold 50 --user ${userId} --via itau --expires-in 30m`);
    expect(soon.asked[0]).toMatch(/^Hold 50\.00 BRL for via itau until about \d{4}-/);
    expect(requests).toEqual([]);
  });

  test('a hold whose answer was lost is continued by the same command only', async () => {
    refused = refusal('INTERNAL', 'something went wrong');
    const lost = `hold 50 --user ${userId} --yes`;
    for (const line of [lost, `${lost} --expires-in 7d`, lost]) await run(line);
    const keys = requests.map(({ item }) => item?.idempotencyKey);
    expect(keys[2]).toBe(keys[0]);
    expect(keys[1]).not.toBe(keys[0]);
  });
});

describe('force', () => {
  test.each(['withdraw 5', 'purchase 5', `transfer 5 --to ${bia}`, 'hold 5'])(
    '%s --force is sent, and the confirmation says what it may pass',
    async (line) => {
      await run(`${line} --user ${userId} --yes`);
      await run(`${line} --user ${userId} --yes --force`);
      expect(requests.map(({ item }) => item?.force)).toEqual([undefined, true]);
      const { err } = await ask(`${line} --user ${userId} --force`);
      expect(err).toMatch(/^force +spending limits may be passed, never what is available$/m);
      expect(requests).toHaveLength(2);
    },
  );

  test.each(['deposit 5', `capture ${holdId}`, `release ${holdId}`, `cancel ${holdId}`])(
    '%s has no --force',
    async (line) => {
      const ran = await run(`${line} --user ${userId} --yes --force`);
      expect(ran.exitCode).toBe(2);
      expect(ran.err).toContain("unknown option '--force'");
      expect(requests).toEqual([]);
    },
  );

  test('a limit that was passed names --force once, and not to whom it did not help', async () => {
    refused = refusal('LIMIT_EXCEEDED', '1.00 BRL of the limit are left');
    const hintOf = async (line: string) => {
      const ran = await run(`${line} --user ${userId} --yes --json`);
      expect(ran.exitCode).toBe(6);
      return (JSON.parse(ran.err) as { error: { hint: string } }).error.hint;
    };
    expect(await hintOf('withdraw 5')).toBe(
      `see them: wallet limits show --user ${userId}; staff can pass them with --force`,
    );
    expect(await hintOf('withdraw 5 --force')).toBe(`wallet limits show --user ${userId}`);
  });
});

describe('capture and release', () => {
  test('a part of a hold is captured in its own currency, and its owner is known', async () => {
    hold = { ...placed, currency: 'JPY', userId };
    const ran = await run(`capture ${holdId} --amount 300 --keep-rest --user ${userId} --yes`);
    expect(ran.exitCode).toBe(0);
    expect(requests[0]?.item).toMatchObject({
      ...{ operation: Operation.CAPTURE, parentId: holdId, currency: 'JPY', keepRest: true },
      ...{ amountMinor: 300n, userId },
    });
    const wrong = await run(`capture ${holdId} --amount 0.5 --user ${userId} --yes --json`);
    expect(JSON.parse(wrong.err)).toMatchObject({ error: { reason: 'AMOUNT_INVALID' } });
    expect(requests).toHaveLength(1);
  });

  test('a capture and a release of all that is left read nothing before', async () => {
    await run(`capture ${holdId} --user ${userId} --yes`);
    await run(`release ${holdId} --user ${userId} --yes`);
    expect(
      requests.map(({ item }) => [item?.operation, item?.amountMinor, item?.currency]),
    ).toEqual([
      [Operation.CAPTURE, undefined, ''],
      [Operation.RELEASE, undefined, ''],
    ]);
    expect(reads).toEqual([]);
  });

  test.each(['capture', 'release'])(
    'to staff with a token a whole id says whose: %s',
    async (verb) => {
      const ran = await run(`${verb} ${holdId} --yes`);
      expect(ran).toMatchObject({ exitCode: 0, err: '' });
      expect(requests[0]?.item).toMatchObject({ userId, parentId: holdId });
      expect(reads).toMatchObject([{ holdId, userId: '' }]);
      expect((await ask(`${verb} ${holdId}`)).err).toMatch(/^user +ana@example.com/m);
    },
  );

  test('the beginning of an id is looked for among the holds of the wallet', async () => {
    const ran = await run(`release ${holdId.slice(0, 8)} --user ${userId} --yes`);
    expect(ran.exitCode).toBe(0);
    expect(ran.err).toContain(`release of ${holdId.slice(0, 8)}: the hold ${holdId}`);
    expect(requests[0]?.item).toMatchObject({ parentId: holdId });
  });

  test('the confirmation of a capture names the payee, the rest and the end', async () => {
    const part = await ask(`capture ${holdId} --amount 10 --user ${userId}`);
    expect(part.err).toMatch(new RegExp(`^hold +50\\.00 BRL, open, ${holdId}$`, 'm'));
    expect(part.err).toMatch(/^for +Hotel Sol$/m);
    expect(part.err).toMatch(/^left +30\.00 of 50\.00 BRL$/m);
    expect(part.err).toMatch(/^rest +20\.00 BRL is released$/m);
    expect(part.err).toMatch(/^ends +2026-11-29 12:00:00$/m);
    expect(part.asked).toEqual(['Capture 10.00 BRL for Hotel Sol?']);
    const kept = await ask(`capture ${holdId} --amount 10 --keep-rest --user ${userId}`);
    expect(kept.err).toMatch(/^rest +20\.00 BRL stays reserved$/m);
    const all = await ask(`capture ${holdId} --user ${userId}`);
    expect(all.asked).toEqual(['Capture 30.00 BRL for Hotel Sol?']);
    const released = await ask(`release ${holdId} --user ${userId}`);
    expect(released.asked).toEqual(['Release 30.00 BRL?']);
    expect(requests).toEqual([]);
  });

  test('who may not read captures a part in the chosen currency', async () => {
    mayRead = false;
    const ran = await run(`capture ${holdId} --amount 0.5 --user ${userId} --yes`);
    expect([ran.exitCode, requests[0]?.item?.currency]).toEqual([0, 'BRL']);
  });

  test.each([
    ['HOLD_EXPIRED', 6, 'wallet hold'],
    ['HOLD_CLOSED', 6, `wallet holds show --user ${userId} ${holdId}`],
    ['HOLD_NOT_FOUND', 5, 'wallet holds list'],
    ['CAPTURE_EXCEEDS_HOLD', 6, `wallet holds show --user ${userId} ${holdId}`],
  ] as const)('%s ends with %i and the command that helps', async (reason, exitCode, hint) => {
    refused = refusal(reason, 'refused', { field: 'parent_id' });
    const ran = await run(`capture ${holdId} --user ${userId} --yes --json`);
    expect(ran.exitCode).toBe(exitCode);
    const { error } = JSON.parse(ran.err) as { error: Record<string, string> };
    expect(error).toMatchObject({ reason, field: 'parent_id' });
    expect(error['hint']).toContain(hint);
  });
});

describe('what is wrong is named before anything is sent', () => {
  test.each([
    ['hold 0', 'amount', 'must be above 0'],
    ['hold 1 --expires-in 7', 'expires_in', '"7" is not a length of time'],
    ['hold 1 --expires-in 7d --expires-at 2099-01-01', 'expires_at', 'exclude each other'],
    ['hold 1 --expires-at 2020-01-01', 'expires_at', 'in the future'],
    ['hold 1 --merchant Sol --via itau', 'via', 'exclude each other'],
    [`hold 1 --merchant Sol --to ${bia}`, 'to', 'exclude each other'],
    ['hold 1 --to bia', 'to', 'neither an e-mail address'],
    ['capture sol', 'hold_id', 'not the id of a hold'],
    [`capture ${holdId} --amount -1`, 'amount', 'not a valid amount'],
    ['release x', 'hold_id', 'wallet holds list'],
  ])('%s', async (line, field, problem) => {
    const ran = await run(`${line} --user ${userId} --yes --json`);
    expect(ran.exitCode).toBe(2);
    const { error } = JSON.parse(ran.err) as { error: Record<string, string> };
    expect(error['field']).toBe(field);
    expect(`${error['message']} ${error['hint'] ?? ''}`).toContain(problem);
    expect(requests).toEqual([]);
  });
});
