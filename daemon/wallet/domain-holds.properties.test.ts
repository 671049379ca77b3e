import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  absolute,
  debitedOf,
  defaultLimits,
  usedBy,
} from '../../tests/support/ledger/programs/book.ts';
import {
  anyProgram,
  anySteadyProgram,
  type Act,
} from '../../tests/support/ledger/programs/generate.ts';
import {
  effectOf,
  playOneByOne,
  type Decided,
  type Played,
} from '../../tests/support/ledger/programs/play.ts';
import { plainTerms, type Entry, type Hold, type SpendingLimits } from './domain.ts';

const options = { numRuns: 400 };

/** A hold as the entries of its wallet make it: written from the rules. */
function foldHold(placed: Entry, ledger: readonly Entry[]): Hold {
  const amountMinor = placed.more?.heldMinor ?? 0n;
  const expiresAtMs = Date.parse(placed.metadata['dw.expiresAt'] ?? '');
  const uses = ledger.filter((e) => e.parentId === placed.id && e.wallet.id === placed.wallet.id);
  let [usedMinor, capturedMinor] = [0n, 0n];
  for (const use of uses) {
    const isExpiry = use.source === 'system';
    expect(use.occurredAtMs >= expiresAtMs).toBe(isExpiry);
    expect(use.more?.heldMinor).toBe(-usedBy(use));
    if (isExpiry) expect(usedBy(use)).toBe(amountMinor - usedMinor);
    usedMinor += usedBy(use);
    if (use.operation === 'capture') capturedMinor += absolute(use.amountMinor);
    else expect(use.amountMinor).toBe(0n);
  }
  const last = uses.at(-1);
  const isOpen = usedMinor < amountMinor;
  const closed = capturedMinor > 0n ? 'captured' : 'released';
  return {
    ...{ id: placed.id, walletId: placed.wallet.id, seq: placed.seq, amountMinor, usedMinor },
    state: isOpen ? 'open' : last?.source === 'system' ? 'expired' : closed,
    ...{ capturedMinor, expiresAtMs, contraAccount: placed.contraAccount },
    placedAtMs: placed.occurredAtMs,
    closedAtMs: isOpen ? undefined : last?.occurredAtMs,
  };
}

/** Throws if an entry was entered into a wallet while a hold was open whose time was over. */
function checkExpiries({ ledger }: Played, walletId: string): void {
  const open = new Map<string, { readonly expiresAtMs: number; leftMinor: bigint }>();
  for (const entry of ledger.filter(({ wallet }) => wallet.id === walletId)) {
    const { parentId = '', source, occurredAtMs, operation, id, more } = entry;
    const over = [...open.values()].filter(({ expiresAtMs }) => expiresAtMs <= occurredAtMs);
    if (source !== 'system') expect(over).toEqual([]);
    const expiresAtMs = Date.parse(entry.metadata['dw.expiresAt'] ?? '');
    if (operation === 'hold') open.set(id, { expiresAtMs, leftMinor: more?.heldMinor ?? 0n });
    const hold = open.get(parentId);
    if (hold) hold.leftMinor -= usedBy(entry);
    if (hold?.leftMinor === 0n) open.delete(parentId);
  }
}

describe('holds', () => {
  it('a hold is what its entries make it, and is used neither past its amount nor after its time', () => {
    fc.assert(
      fc.property(anyProgram, (program) => {
        const played = playOneByOne(program);
        const placed = played.ledger.filter(({ operation }) => operation === 'hold');
        const expected = placed.map((entry) => foldHold(entry, played.ledger));
        for (const hold of expected) {
          expect(hold.usedMinor <= hold.amountMinor).toBe(true);
          expect(hold.capturedMinor <= hold.usedMinor).toBe(true);
          expect(hold.expiresAtMs).toBeGreaterThan(hold.placedAtMs);
        }
        expect([...played.book.holds.values()]).toEqual(expected);
        for (const wallet of played.wallets.values()) {
          checkExpiries(played, wallet.id);
          const own = expected.filter((h) => h.walletId === wallet.id && h.state === 'open');
          const heldMinor = own.reduce((sum, h) => sum + h.amountMinor - h.usedMinor, 0n);
          expect(wallet.held?.heldMinor ?? 0n).toBe(heldMinor);
          // It may be too early, and is never too late.
          const firstMs = Math.min(...own.map((h) => h.expiresAtMs));
          expect((wallet.held?.nextExpiryMs ?? Infinity) <= firstMs).toBe(true);
        }
      }),
      options,
    );
  });

  it('each decision on a hold says what the hold is after it', () => {
    fc.assert(
      fc.property(anyProgram, (program) => {
        for (const { decision, command, before, after } of playOneByOne(program).decided) {
          if (decision.kind !== 'accepted') continue;
          const { hold } = decision;
          const isOfHold = ['hold', 'capture', 'release'].includes(command.operation);
          expect(hold !== undefined).toBe(isOfHold);
          if (!hold) continue;
          expect(hold.id).toBe(command.parentId ?? command.transactionId);
          expect(hold.state === 'open').toBe(hold.usedMinor < hold.amountMinor);
          expect(before.size <= after.size).toBe(true);
        }
      }),
      options,
    );
  });

  it('moving the ticks of the sweeper changes no decision and no balance', () => {
    const sweeps = fc.array(fc.nat(75), { minLength: 10, maxLength: 40 });
    const isMoved = { count: 0 };
    fc.assert(
      fc.property(anySteadyProgram, sweeps, (program, places) => {
        const without = program.filter(({ kind }) => kind !== 'sweep');
        const plain = playOneByOne(without);
        const swept = playOneByOne(addSweeps(without, places));
        expect(swept.decisions.map(effectOf)).toEqual(plain.decisions.map(effectOf));
        const shown = ({ wallets, book }: Played) => [
          [...wallets.values()].map((w) => [w.id, w.balanceMinor, w.debitedMinor]),
          [...book.holds.values()].map((h) => [h.id, h.capturedMinor]),
        ];
        expect(shown(swept)).toEqual(shown(plain));
        const idsOf = ({ ledger }: Played) => ledger.map(({ id }) => id).join();
        if (idsOf(swept) !== idsOf(plain)) isMoved.count += 1;
      }),
      options,
    );
    expect(isMoved.count).toBeGreaterThan(50);
  });
});

/**
 * The same with the sweeper at these places, just before what follows. Not in the millisecond of
 * another act: a release and a read of the balance in one of them move the next entry to the next.
 */
function addSweeps(program: readonly Act[], places: readonly number[]): readonly Act[] {
  const isSwept = new Set(places);
  return program.flatMap((act, i) => {
    const atMs = act.atMs - 1;
    const hasRoom = (program[i - 1]?.atMs ?? 0) < atMs;
    return isSwept.has(i) && hasRoom ? [{ kind: 'sweep' as const, atMs }, act] : [act];
  });
}

const hourMs = 3_600_000;
/** Hours from UTC in winter; none of the zones changes its clock within a program. */
const offsets: Readonly<Record<string, number>> = {
  'America/Sao_Paulo': -3,
  'Asia/Kolkata': 5.5,
  'Europe/Berlin': 1,
  UTC: 0,
};

/** Where the windows of limits begin, without a calendar of zones. */
function startsOf(limits: SpendingLimits, atMs: number): readonly (readonly [bigint, number])[] {
  const shiftMs = (offsets[limits.timezone] ?? NaN) * hourMs;
  const wall = new Date(atMs + shiftMs);
  const [year, month, date] = [wall.getUTCFullYear(), wall.getUTCMonth(), wall.getUTCDate()];
  const sinceMonday = [6, 0, 1, 2, 3, 4, 5][wall.getUTCDay()] ?? NaN;
  const starts: [bigint, number][] = [];
  const add = (limitMinor: bigint | undefined, wallMs: number): void => {
    if (limitMinor !== undefined) starts.push([limitMinor, wallMs - shiftMs]);
  };
  add(limits.dayMinor, Date.UTC(year, month, date));
  add(limits.weekMinor, Date.UTC(year, month, date - sinceMonday));
  add(limits.monthMinor, Date.UTC(year, month, 1));
  for (const { hours, amountMinor } of limits.rolling ?? []) {
    starts.push([amountMinor, atMs - hours * hourMs]);
  }
  return starts;
}

const spends = new Set(['withdraw', 'purchase', 'transfer', 'hold', 'fee']);

/** By how much a command passes the limit that it passes most; undefined if none applies to it. */
function findExcess(ledger: readonly Entry[], { command, atMs, before, implied }: Decided) {
  const wallet = before.get(command.wallet.id);
  const { limits = defaultLimits.get(command.wallet.currency) } = wallet?.terms ?? plainTerms;
  if (!limits || !spends.has(command.operation)) return undefined;
  const [lastAtMs, amountMinor] = [wallet?.lastAtMs ?? 0, command.amountMinor ?? 0n];
  const timeMs = Math.max(atMs, lastAtMs, wallet?.readWatermarkMs ?? 0);
  const freedMinor = implied
    .filter((entry) => entry.wallet.id === command.wallet.id)
    .reduce((sum, entry) => sum + (entry.more?.heldMinor ?? 0n), 0n);
  const heldMinor = (wallet?.held?.heldMinor ?? 0n) + freedMinor;
  const { perTransactionMinor = amountMinor } = limits;
  let excessMinor = amountMinor - perTransactionMinor;
  for (const [limitMinor, fromMs] of startsOf(limits, timeMs)) {
    const debitedMinor = debitedOf(ledger, command.wallet.id, fromMs, Infinity);
    const excess = debitedMinor + heldMinor + amountMinor - limitMinor;
    if (excess > excessMinor) excessMinor = excess;
  }
  return excessMinor;
}

describe('spending limits', () => {
  it('no limit in force was passed but by force, and none was refused that fits', () => {
    const counts = { exact: 0, refused: 0, forced: 0 };
    fc.assert(
      fc.property(anyProgram, (program) => {
        const { decided, ledger } = playOneByOne(program);
        for (const one of decided) {
          const { decision, command, place } = one;
          const excess = findExcess(ledger.slice(0, place), one);
          const isForced = command.more?.isForced === true;
          if (decision.kind === 'accepted' && excess !== undefined) {
            if (!isForced) expect(excess <= 0n).toBe(true);
            if (excess === 0n) counts.exact += 1;
            if (isForced && excess > 0n) counts.forced += 1;
          }
          if (decision.kind === 'rejected' && decision.rejection.reason === 'LIMIT_EXCEEDED') {
            expect(excess !== undefined && excess > 0n).toBe(true);
            counts.refused += 1;
          }
        }
      }),
      options,
    );
    for (const count of Object.values(counts)) expect(count).toBeGreaterThan(50);
  });
});
