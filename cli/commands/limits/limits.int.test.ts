import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { User, type ResolveUsersRequest } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  WalletTerms,
  type GetWalletTermsRequest,
  type SetWalletTermsRequest,
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

const otherId = '1f6c1c0e-9a57-4b5e-8f0a-0d7d6a9a7f10';
const terms = WalletTerms.fromPartial({
  ...{ userId: otherId, currency: 'BRL', number: 3, overdraftLimitMinor: 10_000n },
  limits: {
    ...{ perTransactionMinor: 200_000n, dayMinor: 50_000n, timezone: 'America/Sao_Paulo' },
    rolling: [{ hours: 24, amountMinor: 60_000n }],
  },
  uses: [
    { name: 'perTransaction', limitMinor: 200_000n, usedMinor: 0n, leftMinor: 200_000n },
    {
      ...{ name: 'day', limitMinor: 50_000n, usedMinor: 12_500n, leftMinor: 37_500n },
      resetsAt: new Date('2026-11-23T03:00:00Z'),
    },
    { name: 'rolling-24h', limitMinor: 60_000n, usedMinor: 12_500n, leftMinor: 47_500n },
  ],
});

let cli: Cli;
let server: FakeServer;
let current: WalletTerms;
let gets: GetWalletTermsRequest[];
let sets: SetWalletTermsRequest[];
let refused: Error | undefined;

beforeEach(async () => {
  [current, gets, sets, refused] = [terms, [], [], undefined];
  server = await startFakeServer({
    getWalletTerms: (request: GetWalletTermsRequest) => {
      gets.push(request);
      return { terms: current, asOf: new Date('2026-11-22T12:00:00Z') };
    },
    setWalletTerms: (request: SetWalletTermsRequest) => {
      sets.push(request);
      return refused ?? { terms: { ...current, number: 4 } };
    },
    getUser: () => ({ user: { id: userId, email: 'op@example.com', role: 2 } }),
    resolveUsers: ({ userIds: [id = otherId] }: ResolveUsersRequest) => ({
      users: [User.fromPartial({ id, email: 'ana@example.com' })],
    }),
  });
  cli = await createCli({
    ...{ WALLET_SERVER: server.address, WALLET_TOKEN: fakeToken(), WALLET_TIMEZONE: 'UTC' },
  });
});

afterEach(async () => {
  server.crash();
  await cli.remove();
});

const run = (line: string, options?: Parameters<Cli['run']>[1]) =>
  cli.run(['limits', ...line.split(' ')], options);

describe('limits show', () => {
  test('limits show prints the overdraft, and what is left of each limit', async () => {
    const ran = await run('show --user ana@example.com --no-color', {
      ...{ isTerminal: true, columns: 80 },
    });
    expect(ran.out).toMatch(/^overdraft limit +100\.00 BRL$/m);
    expect(ran.out).toMatch(/^spending limits +the wallet's own$/m);
    expect(ran.out).toMatch(/^days begin in +America\/Sao_Paulo$/m);
    expect(ran.out).toMatch(/^per transaction +2,000\.00 *$/m);
    expect(ran.out).toMatch(/^per day +500\.00 +125\.00 +375\.00 +2026-11-23 03:00:00$/m);
    expect(ran.out).toMatch(/^in any 24 hours +600\.00 +125\.00 +475\.00 *$/m);
    expect(ran.out.split('\n').every((line) => line.length <= 80)).toBe(true);
  });

  test('limits show --json has each limit with what was used of it', async () => {
    const ran = await run(`show --user ${otherId} --json`);
    expect(JSON.parse(ran.out)).toEqual({
      ...{ userId: otherId, currency: 'BRL', number: 3, overdraftLimit: '100.00', default: false },
      ...{ timezone: 'America/Sao_Paulo', asOf: '2026-11-22T12:00:00.000Z' },
      limits: [
        { name: 'perTransaction', limit: '2000.00' },
        {
          ...{ name: 'day', limit: '500.00', used: '125.00', left: '375.00' },
          resetsAt: '2026-11-23T03:00:00.000Z',
        },
        { name: 'rolling-24h', limit: '600.00', used: '125.00', left: '475.00' },
      ],
    });
    const csv = await run(`show --user ${otherId} -o csv`);
    expect(csv.out.split(/\r?\n/)[2]).toBe('day,500.00,125.00,375.00,BRL,2026-11-23T03:00:00.000Z');
    const field = await run('show --field limits.name,limits.left');
    expect(field.out).toBe('perTransaction\t\nday\t375.00\nrolling-24h\t475.00\n');
  });

  test('a wallet without limits says so', async () => {
    current = WalletTerms.fromPartial({ userId: otherId, currency: 'BRL' });
    const ran = await run('show');
    expect(ran.out).toMatch(/^overdraft limit +0\.00 BRL$/m);
    expect(ran.out).toMatch(/^spending limits +none$/m);
  });
});

describe('limits set and clear', () => {
  test('limits set changes the given ones only, of the terms that it has read', async () => {
    const more = '--per-month 9000 --per-day none --rolling 24h=300 --rolling 7d=1000 --note x';
    const ran = await run(`set --user ${otherId} ${more} --yes --json`);
    expect(ran.exitCode).toBe(0);
    expect(sets[0]).toMatchObject({
      ...{ userId: otherId, currency: 'BRL', note: 'x', dryRun: false, expectedNumber: 3 },
      ...{ overdraftLimitMinor: undefined, clearLimits: false },
      limits: {
        ...{ perTransactionMinor: 200_000n, dayMinor: undefined, monthMinor: 900_000n },
        rolling: [
          { hours: 24, amountMinor: 30_000n },
          { hours: 168, amountMinor: 100_000n },
        ],
        timezone: 'America/Sao_Paulo',
      },
    });
    expect(JSON.parse(ran.out)).toMatchObject({ number: 4 });
  });

  test('an overdraft alone leaves the spending limits as they are', async () => {
    await run(`set --user ${otherId} --overdraft 0 --yes`);
    expect(sets[0]).toMatchObject({ overdraftLimitMinor: 0n, limits: undefined });
  });

  test('the confirmation shows what each limit is and becomes', async () => {
    const asked: string[] = [];
    const confirm = (message: string) => (asked.push(message), Promise.resolve(false));
    const more = '--overdraft 250 --per-day 400 --rolling 24h=none';
    const ran = await run(`set --user ${otherId} ${more} --no-color`, {
      ...{ isTerminal: true, prompter: { confirm } },
    });
    expect(ran.exitCode).toBe(130);
    expect(ran.err).toMatch(new RegExp(`^user +ana@example.com \\(${otherId}\\)$`, 'm'));
    expect(ran.err).toMatch(/^overdraft limit +100\.00 BRL, becomes 250\.00 BRL$/m);
    expect(ran.err).toMatch(/^per transaction +2000\.00 BRL$/m);
    expect(ran.err).toMatch(/^per day +500\.00 BRL, becomes 400\.00 BRL$/m);
    expect(ran.err).toMatch(/^in any 24 hours +600\.00 BRL, becomes none$/m);
    expect(asked).toEqual(['Set these limits?']);
    expect(sets).toEqual([]);
  });

  test('a dry run asks nothing, and says that nothing was changed', async () => {
    const ran = await run(`set --user ${otherId} --per-day 1 --dry-run`);
    expect([ran.exitCode, sets[0]?.dryRun]).toEqual([0, true]);
    expect(ran.out).toMatch(/^dry run +nothing was changed$/m);
  });

  test('limits clear gives the wallet those of the server', async () => {
    const ran = await run(`clear --user ${otherId} --note x --yes`);
    expect(ran.exitCode).toBe(0);
    expect(sets[0]).toMatchObject({ clearLimits: true, note: 'x', limits: undefined });
    expect(sets[0]).toMatchObject({ overdraftLimitMinor: undefined, userId: otherId });
  });

  test('limits that were changed meanwhile end with 6 and the next command', async () => {
    refused = refusal('TERMS_CHANGED', 'the terms have changed');
    const ran = await run(`set --user ${otherId} --per-day 1 --yes --json`);
    expect(ran.exitCode).toBe(6);
    expect(JSON.parse(ran.err)).toMatchObject({
      error: {
        reason: 'TERMS_CHANGED',
        hint: expect.stringContaining(`wallet limits show --user ${otherId}`) as string,
      },
    });
  });

  test.each([
    ['set', 'limits', 'nothing to change'],
    ['set --per-day -5', 'per_day', 'not a valid amount'],
    ['set --overdraft x', 'overdraft', 'not a valid amount'],
    ['set --per-week 1.999', 'per_week', 'at most 2 decimals'],
    ['set --rolling 24=5', 'rolling', '24h=500.00'],
    ['set --rolling 90m=5', 'rolling', 'whole hours'],
    ['set --rolling 24h=5 --rolling 1d=6', 'rolling', '24 hours twice'],
    ['set --per-day 5 --currency XXX', 'currency', 'ISO 4217'],
  ])('limits %s is refused before anything is sent', async (line, field, problem) => {
    const ran = await run(`${line} --user ${otherId} --yes --json`);
    expect(ran.exitCode).toBe(2);
    const { error } = JSON.parse(ran.err) as { error: Record<string, string> };
    expect(error['field']).toBe(field);
    expect(`${error['message']} ${error['hint'] ?? ''}`).toContain(problem);
    expect(sets).toEqual([]);
  });

  test('an unknown time zone is refused, and staff must name the user', async () => {
    const zone = await run(`set --user ${otherId} --timezone Mars/Base --yes --json`);
    expect(zone.exitCode).toBe(2);
    expect(zone.err).toContain('Mars/Base');
    const unnamed = await run('clear --yes --json');
    expect(JSON.parse(unnamed.err)).toMatchObject({ error: { reason: 'USAGE', field: 'user' } });
    expect(sets).toEqual([]);
  });
});
