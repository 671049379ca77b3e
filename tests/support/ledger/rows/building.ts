import { transactionIdOf } from '../../../../core/ids.ts';
import { enter, type Entry, type Hold, type Line, type Wallet } from '../ledger-rows.ts';

const texts = ['Lunch', 'Café; 2:ab', '東京', '', null] as const;
const metadatas = [null, null, '{"order":"42","a":"b"}', '{"note":"é;1:"}'] as const;

/** A wallet of a ledger that is being made. */
export type Building = {
  readonly wallet: Wallet;
  readonly entries: Entry[];
  readonly lines: Line[];
  readonly holds: Hold[];
  left: number;
  /** The time of its next entry. */
  micros: bigint;
  /** What of its entries has been used up, by id. */
  readonly used: Map<string, bigint>;
};
export type Move = Pick<
  Entry,
  'operation' | 'amount' | 'contra_account' | 'parent_id' | 'parent_used' | 'parent_amount'
> &
  Partial<Pick<Entry, 'held' | 'metadata' | 'source' | 'description' | 'actor'>>;
export type Random = () => number;

/** One of these; undefined without any. */
export function choose<T>(rows: readonly T[], random: Random): T | undefined {
  return rows[Math.floor(random() * rows.length)];
}

/** From 1 to all of it. */
export function partOf(whole: bigint, random: Random): bigint {
  const part = 1n + BigInt(Math.floor(random() * Number(whole)));
  return part < whole ? part : whole;
}

export const noParent = { parent_id: null, parent_used: null, parent_amount: null };

/** Some time passes: holds that have expired by then are released before anything else. */
export function advance(to: Building, random: Random): void {
  const { wallet, holds, used } = to;
  to.micros = wallet.last_micros + BigInt(Math.floor(random() * 5_000)) * 1_000n;
  const due = holds.filter((hold) => hold.state === 'open' && hold.expires_micros <= to.micros);
  for (const hold of due) {
    const before = used.get(hold.id) ?? 0n;
    const move: Move = {
      ...{ operation: 9, amount: 0n, contra_account: hold.contra_account, parent_id: hold.id },
      ...{ parent_used: before === 0n ? null : before, parent_amount: hold.amount },
      ...{ held: before - hold.amount, source: 3, actor: 'walletd' },
      ...{ metadata: null, description: null },
    };
    add(to, transactionIdOf(wallet.id, 'system', `expire:${hold.id}`), move, random);
    used.set(hold.id, hold.amount);
    Object.assign(hold, { used: hold.amount, state: 'expired', closed_micros: to.micros });
  }
}

export function add(to: Building, id: string, move: Move, random: Random): Entry {
  const { wallet } = to;
  const entry: Entry = {
    ...{ wallet_id: wallet.id, seq: 0, id, balance_after: 0n, hash: '', micros: to.micros },
    ...{ source: random() < 0.5 ? 1 : 2, actor: wallet.user_id },
    ...{ held: null, held_after: null, group_id: null, debited_after: 0n },
    description: choose(texts, random) ?? null,
    metadata: choose(metadatas, random) ?? null,
    ...move,
  };
  to.lines.push(enter(wallet, entry));
  to.entries.push(entry);
  to.left -= 1;
  return entry;
}

export const accountOf = ({ wallet }: Building): string => `user:${wallet.user_id}`;

/** What may be taken or reserved. */
export const availableOf = ({ wallet }: Building): bigint => wallet.balance - wallet.held;
