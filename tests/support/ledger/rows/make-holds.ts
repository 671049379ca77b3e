import { randomId, type Hold } from '../ledger-rows.ts';
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

/** Places a hold, or uses one. False where neither can be. */
export function moveHold(one: Building, open: readonly Building[], random: Random): boolean {
  const hold = choose(
    one.holds.filter(({ state }) => state === 'open'),
    random,
  );
  if (!hold || random() < 0.35) return place(one, open, random);
  return random() < 0.7 ? capture(one, hold, open, random) : release(one, hold, random);
}

function place(one: Building, open: readonly Building[], random: Random): boolean {
  if (availableOf(one) <= 0n) return false;
  const payee = choose(
    open.filter((building) => building !== one),
    random,
  );
  const amount = partOf(availableOf(one), random);
  const expires = one.micros + 1_000n * BigInt(1 + Math.floor(random() * 30_000));
  const expiresAt = new Date(Number(expires / 1_000n)).toISOString();
  const contra_account = payee && random() < 0.5 ? accountOf(payee) : 'merchant:Café';
  const id = randomId(random);
  const order = random() < 0.5 ? { order: '42' } : {};
  const entry = add(
    one,
    id,
    {
      ...{ operation: 7, amount: 0n, held: amount, contra_account, ...noParent },
      metadata: JSON.stringify({ 'dw.expiresAt': expiresAt, ...order }),
    },
    random,
  );
  one.holds.push({
    ...{ wallet_id: one.wallet.id, id, seq: entry.seq, amount, used: 0n, captured: 0n },
    ...{ state: 'open', contra_account, placed_micros: one.micros },
    ...{ expires_micros: expires, closed_micros: null },
  });
  return true;
}

/** Takes so much from what a hold reserves, and enters what takes it. */
function use(
  one: Building,
  hold: Hold,
  size: bigint,
  move: Pick<Move, 'operation' | 'amount'>,
  random: Random,
): string {
  const id = randomId(random);
  const { contra_account, id: parent_id, used, amount: parent_amount } = hold;
  const parent_used = used === 0n ? null : used;
  const parent = { contra_account, parent_id, parent_used, parent_amount };
  add(one, id, { ...move, ...parent, held: -size }, random);
  hold.used += size;
  one.used.set(hold.id, hold.used);
  hold.captured -= move.amount;
  if (hold.used < hold.amount) return id;
  hold.state = hold.captured > 0n ? 'captured' : 'released';
  hold.closed_micros = one.micros;
  return id;
}

/** A part of what is left, with or without the rest; to another user's wallet on both of them. */
function capture(one: Building, hold: Hold, open: readonly Building[], random: Random): boolean {
  const left = hold.amount - hold.used;
  const taken = partOf(left, random);
  // A forced undo may have taken what was reserved.
  if (one.wallet.balance < taken) return false;
  const payee = open.find((building) => accountOf(building) === hold.contra_account);
  if (!payee && hold.contra_account.startsWith('user:')) return false;
  if (payee) advance(payee, random);
  const size = random() < 0.5 ? taken : left;
  const id = use(one, hold, size, { operation: 8, amount: -taken }, random);
  if (!payee) return true;
  const side = { operation: 8, amount: taken, contra_account: accountOf(one), ...noParent };
  add(payee, id, side, random);
  return true;
}

function release(one: Building, hold: Hold, random: Random): boolean {
  const left = hold.amount - hold.used;
  const size = random() < 0.5 ? left : partOf(left, random);
  use(one, hold, size, { operation: 9, amount: 0n }, random);
  return true;
}
