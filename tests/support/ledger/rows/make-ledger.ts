import { walletIdOf } from '../../../../core/ids.ts';
import { absolute, newWallet, randomId, type Entry, type Ledger } from '../ledger-rows.ts';
import {
  accountOf,
  add,
  advance,
  availableOf,
  choose,
  noParent,
  partOf,
  type Building,
  type Move,
  type Random,
} from './building.ts';
import { moveHold } from './make-holds.ts';

/**
 * A ledger with whole chains, one wallet for each number of entries (or a few more): deposits,
 * purchases, transfers between the wallets, undos of parts, a few of them forced, and holds, their
 * uses, and their ends. `random` gives numbers from 0 up to 1; the same numbers make the same
 * ledger. Amounts are up to 10,000 times `unit`.
 */
export function makeLedger(counts: readonly number[], random: Random, unit = 1n): Ledger {
  const all = counts.map((left): Building => {
    const userId = randomId(random);
    const wallet = newWallet(walletIdOf(userId, 'BRL'), userId);
    const micros = wallet.last_micros;
    return { wallet, entries: [], lines: [], holds: [], left, micros, used: new Map() };
  });
  for (;;) {
    const open = all.filter(({ left }) => left > 0);
    const one = choose(open, random);
    if (!one) break;
    advance(one, random);
    if (one.left <= 0) continue;
    const turn = random();
    if (turn < 0.2 && undo(one, open, random)) continue;
    if (turn < 0.4 && transfer(one, open, random)) continue;
    if (turn < 0.8 && moveHold(one, open, random)) continue;
    spendOrDeposit(one, random, unit);
  }
  for (const { wallet, holds } of all) {
    const ends = holds.filter(({ state }) => state === 'open').map((hold) => hold.expires_micros);
    wallet.next_expiry_micros = ends.reduce<bigint | null>(
      (first, end) => (first === null || end < first ? end : first),
      null,
    );
  }
  all.sort((a, b) => (a.wallet.id < b.wallet.id ? -1 : 1));
  return {
    wallets: all.map(({ wallet }) => wallet),
    entries: all.flatMap(({ entries }) => entries),
    lines: all.flatMap(({ lines }) => lines),
    holds: all.flatMap(({ holds }) => holds),
  };
}

/** Both sides, if there is money and another wallet. */
function transfer(payer: Building, open: readonly Building[], random: Random): boolean {
  const payee = choose(
    open.filter((one) => one !== payer),
    random,
  );
  if (!payee || availableOf(payer) <= 0n) return false;
  advance(payee, random);
  const amount = partOf(availableOf(payer), random);
  const id = randomId(random);
  const of = { operation: 6, ...noParent };
  add(payer, id, { ...of, amount: -amount, contra_account: accountOf(payee) }, random);
  add(payee, id, { ...of, amount, contra_account: accountOf(payer) }, random);
  return true;
}

/** All that is left of one of its entries, or a part of it; both sides if there are two. */
function undo(one: Building, open: readonly Building[], random: Random): boolean {
  const isLeft = (entry: Entry): boolean =>
    [1, 2, 3, 6, 8].includes(entry.operation) &&
    (one.used.get(entry.id) ?? 0n) < absolute(entry.amount);
  const parent = choose(one.entries.filter(isLeft), random);
  if (!parent) return false;
  const isOfUsers = parent.contra_account.startsWith('user:');
  const other = open.find((building) => accountOf(building) === parent.contra_account);
  if (isOfUsers && !other) return false;
  if (other) advance(other, random);
  const before = one.used.get(parent.id) ?? 0n;
  const whole = absolute(parent.amount);
  const left = whole - before;
  const taken = random() < 0.5 ? left : partOf(left, random);
  const amount = parent.amount > 0n ? -taken : taken;
  const giver = amount < 0n ? one : other;
  // A few are forced.
  if (giver && availableOf(giver) < taken && random() < 0.7) return false;
  const isCancelled = [3, 8].includes(parent.operation) && random() < 0.5;
  const of = {
    operation: isCancelled ? 5 : 4,
    parent_id: parent.id,
    parent_used: before === 0n ? null : before,
    parent_amount: whole,
  };
  const id = randomId(random);
  add(one, id, { ...of, amount, contra_account: parent.contra_account }, random);
  one.used.set(parent.id, before + taken);
  if (!other) return true;
  add(other, id, { ...of, amount: -amount, contra_account: accountOf(one) }, random);
  other.used.set(parent.id, before + taken);
  return true;
}

function spendOrDeposit(one: Building, random: Random, unit: bigint): void {
  const wanted = unit * BigInt(1 + Math.floor(random() * 10_000));
  const isDeposit = wanted > availableOf(one) || random() < 0.5;
  const isPurchase = !isDeposit && random() < 0.5;
  const move: Move = {
    operation: isDeposit ? 1 : isPurchase ? 3 : 2,
    amount: isDeposit ? wanted : -wanted,
    contra_account: isPurchase ? 'merchant:Café' : 'external:cash',
    ...noParent,
  };
  add(one, randomId(random), move, random);
}
