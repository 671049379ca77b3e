import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import pg from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';

import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import {
  Operation,
  WalletServiceService,
  type CreateTransactionResponse,
} from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createRandom, type Random } from '../fuzz/random.ts';
import { signUp } from '../support/broker/producer.ts';
import { item, type Answer, type Connection } from '../support/grpc/client.ts';
import { readUrls } from '../support/ledger/ledger.ts';
import {
  applyDone,
  createState,
  decideRequest,
  releaseDue,
  uuidOf,
  walletOf,
  type State,
  type Verdict,
  type Wallet,
  type Wanted,
} from '../support/ledger/wallet-model.ts';
import { expectSame } from '../model/commands/expect.ts';
import { expectCode, password } from '../support/processes/world.ts';
import { createClockSite, type ClockSite } from './site.ts';

const hourS = 3_600;
const walletCount = 10;
const holdsPerWallet = 100;
let site: ClockSite;
let client: Connection;
let token: string;
let clocks: pg.Pool;

beforeAll(async () => {
  site = await createClockSite();
  client = await site.start();
  token = await signInOperator();
  const { owner } = await readUrls(site.dataDir);
  clocks = new pg.Pool({ connectionString: owner('wallet'), max: walletCount });
  clocks.on('error', () => undefined);
}, 120_000);
afterAll(async () => {
  await clocks.end();
  await site.dispose();
});

async function signInOperator(): Promise<string> {
  const email = 'holds-operator@example.com';
  const args = ['users', 'create', '--email', email, '--role', 'operator'];
  expectCode(await site.walletd(args, password), 0);
  const request = { email, password, client: '', deviceToken: '' };
  const answer = await client.call(AuthServiceService.signIn, request);
  if (!answer.ok) throw new Error(answer.reason);
  return answer.value.tokens?.accessToken ?? '';
}

/** The clock that decides, in whole milliseconds. */
async function readClock(): Promise<number> {
  const text = 'SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::float8 AS ms';
  const { rows } = await clocks.query<{ ms: number }>(text);
  return rows[0]?.ms ?? NaN;
}

type Asked = Omit<Wanted, 'id'> & { readonly expiresAtMs?: number | undefined };
type Tally = { holds: number; decisions: number; refusals: Map<string, number>; doubts: number };

/** A wallet, and what the model makes of what it was asked for. */
type Account = { readonly wallet: Wallet; readonly state: State; readonly tally: Tally };

const operationOf = (name: Wanted['operation']): Operation =>
  Operation[name.toUpperCase() as keyof typeof Operation];

/** Asks the daemon and the model. Gives the id of what was done; undefined if it was refused. */
async function ask(account: Account, asked: Asked): Promise<string | undefined> {
  const { wallet, state, tally } = account;
  const { operation, amountMinor, parentId, merchant, keepsRest, expiresAtMs } = asked;
  const key = randomUUID();
  const wanted = { ...asked, id: uuidOf(wallet.id, `staff:${key}`) };
  const request = item({
    ...{ userId: wallet.userId, currency: wallet.currency, idempotencyKey: key },
    operation: operationOf(operation),
    ...(amountMinor === undefined ? {} : { amountMinor }),
    ...(parentId === undefined ? {} : { parentId }),
    ...(merchant === undefined ? {} : { merchant }),
    ...(keepsRest === undefined ? {} : { keepRest: keepsRest }),
    ...(expiresAtMs === undefined ? {} : { expiresAt: new Date(expiresAtMs) }),
  });
  const method = WalletServiceService.createTransaction;
  const beforeMs = await readClock();
  const answer = await client.call(method, { item: request, dryRun: false }, token);
  const afterMs = await readClock();
  tally.decisions += 1;
  const verdict = decide(account, wanted, answer, { beforeMs, afterMs });
  const what = `${operation} of ${String(amountMinor)}, parent ${parentId}, at ${beforeMs}`;
  if (verdict.kind !== 'accepted') {
    const reason = verdict.kind === 'rejected' ? verdict.reason : verdict.kind;
    expectSame(what, answer.ok ? 'accepted' : answer.reason, reason);
    tally.refusals.set(reason, (tally.refusals.get(reason) ?? 0) + 1);
    return undefined;
  }
  expectSame(what, answer.ok ? 'accepted' : answer.reason, 'accepted');
  if (!answer.ok) return undefined;
  applyDone(state, verdict.done);
  if (operation === 'hold') state.expiries.set(wanted.id, expiresAtMs ?? Infinity);
  expectState(what, state, answer.value);
  return wanted.id;
}

/**
 * What the model decides: at the time of the entry, or before the call began. Where a hold has
 * expired during a call that was refused, it may have been decided before or after that.
 */
function decide(
  account: Account,
  wanted: Asked & Wanted,
  answer: Answer<CreateTransactionResponse>,
  { beforeMs, afterMs }: { readonly beforeMs: number; readonly afterMs: number },
): Verdict {
  const { transaction } = answer.ok ? answer.value : {};
  const verdict = decideAt(account, wanted, transaction?.occurredAt?.getTime() ?? beforeMs);
  if (answer.ok || (verdict.kind === 'rejected' && verdict.reason === answer.reason)) {
    return verdict;
  }
  account.tally.doubts += 1;
  return decideAt(account, wanted, afterMs);
}

function decideAt({ wallet, state }: Account, wanted: Asked & Wanted, atMs: number): Verdict {
  releaseDue(state, wallet.id, atMs);
  const verdict = decideRequest(state, wanted);
  const isLate = wanted.expiresAtMs !== undefined && wanted.expiresAtMs <= atMs;
  return isLate ? { kind: 'rejected', reason: 'INVALID_ARGUMENT' } : verdict;
}

/** Balance, what is reserved, and the number of entries, which counts each release. */
function expectState(
  what: string,
  state: State,
  { transaction, replayed }: CreateTransactionResponse,
): void {
  const found = [
    ...[transaction?.balanceAfterMinor, transaction?.heldAfterMinor ?? 0n, transaction?.seq],
    replayed,
  ];
  const expected = [state.balanceMinor, state.heldMinor, BigInt(state.seq), false];
  expectSame(what, found, expected);
}

/** Which hold is used: one of the last few, so that some are about to expire. */
function pickHold(random: Random, holds: readonly string[]): string {
  return random.pick(holds.slice(-12));
}

async function runAccount(account: Account, seed: string, index: number): Promise<void> {
  const { tally } = account;
  const deposit = { operation: 'deposit', parentId: undefined, merchant: undefined } as const;
  await ask(account, { ...deposit, amountMinor: 100_000n });
  const holds: string[] = [];
  for (let n = 0; n < holdsPerWallet; n += 1) {
    const random = createRandom(seed, `wallet ${index}`, n);
    const lifeMs = random.pick([20, 60, 200, 1_000, 4_000, hourS * 1_000]) + random.int(50);
    const expiresAtMs = (await readClock()) + lifeMs;
    const hold = { operation: 'hold', parentId: undefined, merchant: 'Bakery' } as const;
    const amountMinor = BigInt(1 + random.int(6_000));
    const id = await ask(account, { ...hold, amountMinor, expiresAtMs });
    tally.holds += 1;
    if (id !== undefined) holds.push(id);
    for (let uses = random.int(4); uses > 0; uses -= 1) await useOne(account, random, holds);
    if (random.chance(30)) await spend(account, random);
    if (random.chance(20)) await sleep(random.int(80));
  }
}

async function useOne(account: Account, random: Random, holds: readonly string[]): Promise<void> {
  if (holds.length === 0) return;
  const isCapture = random.chance(65);
  await ask(account, {
    operation: isCapture ? 'capture' : 'release',
    amountMinor: random.chance(40) ? undefined : BigInt(1 + random.int(3_000)),
    parentId: pickHold(random, holds),
    merchant: undefined,
    ...(isCapture ? { keepsRest: random.chance(50) } : {}),
  });
}

/** All that is free, or one unit more; and what keeps the wallet going. */
async function spend(account: Account, random: Random): Promise<void> {
  const { state } = account;
  const freeMinor = state.balanceMinor - state.heldMinor;
  const more = { parentId: undefined, merchant: undefined } as const;
  const amountMinor = freeMinor + BigInt(random.int(2)) || 1n;
  await ask(account, { ...more, operation: 'withdraw', amountMinor });
  await ask(account, { ...more, operation: 'deposit', amountMinor: 40_000n });
}

/** Until it is over, the daemon's clock is an hour ahead, an hour behind, or right. */
async function stepDaemonClock(isOver: () => boolean): Promise<number> {
  let steps = 0;
  for (; !isOver(); steps += 1) {
    await site.daemonClock.step([hourS, 0, -hourS, hourS, -hourS][steps % 5] ?? 0);
  }
  await site.daemonClock.step(0);
  return steps;
}

it('1,000 holds are decided as in the model, while the clock of the daemon steps by an hour', async () => {
  const seed = String(Date.now());
  const tally: Tally = { holds: 0, decisions: 0, refusals: new Map(), doubts: 0 };
  const accounts = await Promise.all(
    Array.from({ length: walletCount }, async (_each, n): Promise<Account> => {
      const { id } = await signUp(site.daemon().address, `holds-${n}`);
      return { wallet: walletOf(id, 'BRL', 2), state: createState(), tally };
    }),
  );
  let isOver = false;
  const stepping = stepDaemonClock(() => isOver);
  const running = accounts.map((account, n) => runAccount(account, seed, n));
  const ended = await Promise.allSettled(running);
  isOver = true;
  const steps = await stepping;
  const failures = ended.flatMap((one) => (one.status === 'rejected' ? [String(one.reason)] : []));
  expect([`seed ${seed}`, ...failures]).toEqual([`seed ${seed}`]);
  expect(steps).toBeGreaterThan(1);
  expect(tally.holds).toBe(walletCount * holdsPerWallet);
  for (const reason of ['HOLD_EXPIRED', 'HOLD_CLOSED', 'INSUFFICIENT_FUNDS']) {
    expect([reason, (tally.refusals.get(reason) ?? 0) > 0]).toEqual([reason, true]);
  }
  // Few calls have an expiry within them; most are decided by the model alone.
  expect(tally.doubts).toBeLessThan(tally.decisions / 4);
  expect((await site.walletd(['verify', '--ledger-only', '--json'])).stdout).toBe('');
}, 300_000);

it('a withdrawal finds the money of a hold as soon as its time is over, and not before', async () => {
  const tally: Tally = { holds: 0, decisions: 0, refusals: new Map(), doubts: 0 };
  const { id } = await signUp(site.daemon().address, 'holds-last');
  const account: Account = { wallet: walletOf(id, 'BRL', 2), state: createState(), tally };
  const more = { parentId: undefined, merchant: undefined } as const;
  const countRefused = (): number => tally.refusals.get('INSUFFICIENT_FUNDS') ?? 0;
  // On a slow machine few withdrawals come before the end of a hold.
  for (let round = 0; round < 20 || countRefused() <= 20; round += 1) {
    await ask(account, { ...more, operation: 'deposit', amountMinor: 500n });
    const expiresAtMs = (await readClock()) + 150;
    await ask(account, { ...more, operation: 'hold', amountMinor: 500n, expiresAtMs });
    let done: string | undefined;
    while (done === undefined) {
      done = await ask(account, { ...more, operation: 'withdraw', amountMinor: 500n });
    }
    expect(account.state.balanceMinor).toBe(0n);
  }
}, 120_000);
