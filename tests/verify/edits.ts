import type { Entry } from '../support/ledger/ledger-rows.ts';
import { forgeWallet, type Query } from './forge.ts';

/** The wallet that is edited, and the one that it has a transfer with: the nth customer's. */
export type Edited = {
  readonly userId: string;
  readonly walletId: string;
  readonly otherWalletId: string;
};
type Place = { readonly walletId: string; readonly seq: number };
/** Makes the edit; gives the places at which it must be found. */
type Edit = (edited: Edited, random: () => number, query: Query) => Promise<readonly Place[]>;

/** Entries that nothing else has to do with: neither the first nor the last two. */
const plainSeqs = [2, 3, 4, 6];
/** The second part that was undone of the transfer. */
const partSeq = 8;
/** The hold that is used up, its capture and its release, and the one that is still open. */
const [usedHoldSeq, captureSeq, releaseSeq, openHoldSeq] = [9, 10, 11, 12] as const;
const lastSeq = 14;

const pick = (random: () => number): number =>
  plainSeqs[Math.floor(random() * plainSeqs.length)] ?? 2;

const setEntry =
  (set: string, seq?: number, isPair = false): Edit =>
  async ({ walletId, otherWalletId }, random, query) => {
    const at = seq ?? pick(random);
    const text = `UPDATE transactions SET ${set} WHERE wallet_id = $1 AND seq = $2`;
    await query('wallet', text, [walletId, at]);
    const own = { walletId, seq: at };
    return isPair ? [own, { walletId: otherWalletId, seq: at }] : [own];
  };

const setWallet =
  (set: string): Edit =>
  async ({ walletId }, _random, query) => {
    await query('wallet', `UPDATE wallets SET ${set} WHERE id = $1`, [walletId]);
    return [{ walletId, seq: lastSeq }];
  };

const inTable =
  (service: 'wallet' | 'statement', text: string): Edit =>
  async ({ walletId }, random, query) => {
    const seq = pick(random);
    await query(service, `${text} WHERE wallet_id = $1 AND seq = $2`, [walletId, seq]);
    return [{ walletId, seq }];
  };

/** An edit of the row of a hold, by the seq of its entry. */
const setHold =
  (set: string, seq: number = usedHoldSeq): Edit =>
  async ({ walletId }, _random, query) => {
    const text = `UPDATE holds SET ${set} WHERE wallet_id = $1 AND seq = $2`;
    await query('wallet', text, [walletId, seq]);
    return [{ walletId, seq }];
  };

/** An edit of an entry that shows at others of the same hold, too. */
const setUse =
  (set: string, seq: number, others: readonly number[], isPair = false): Edit =>
  async (edited, random, query) => {
    const places = await setEntry(set, seq, isPair)(edited, random, query);
    return [...places, ...others.map((each) => ({ walletId: edited.walletId, seq: each }))];
  };

const dropHold: Edit = async ({ walletId }, _random, query) => {
  const text = 'DELETE FROM holds WHERE wallet_id = $1 AND seq = $2';
  await query('wallet', text, [walletId, openHoldSeq]);
  return [{ walletId, seq: openHoldSeq }];
};

/** A hold that no entry has placed. */
const inventHold: Edit = async ({ walletId }, random, query) => {
  const seq = pick(random);
  const text = `INSERT INTO holds (wallet_id, id, seq, amount, state, contra_account, placed_at,
      expires_at)
    VALUES ($1, gen_random_uuid(), $2, 5, 'open', 'merchant', now(), '2099-06-01')`;
  await query('wallet', text, [walletId, seq]);
  return [{ walletId, seq }];
};

/** The history of one wallet is written again. `isOwn`: it shows there, besides at the other side. */
const forge =
  (change: (entries: Entry[]) => Entry[], isOwn: boolean): Edit =>
  async ({ userId, walletId, otherWalletId }, _random, query) => {
    await forgeWallet(query, userId, walletId, change);
    const other = { walletId: otherWalletId, seq: partSeq };
    return isOwn ? [{ walletId, seq: partSeq }, other] : [other];
  };

const swap: Edit = async ({ walletId }, random, query) => {
  const seq = random() < 0.5 ? 2 : 3;
  // Both at once would meet in the key: they are moved out of the way first.
  const aside = `UPDATE transactions SET seq = seq + 1000000
    WHERE wallet_id = $1 AND seq IN ($2::bigint, $2::bigint + 1)`;
  await query('wallet', aside, [walletId, seq]);
  const back = `UPDATE transactions SET seq = 2 * $2::bigint + 1 - (seq - 1000000)
    WHERE wallet_id = $1 AND seq > 1000000`;
  await query('wallet', back, [walletId, seq]);
  return [
    { walletId, seq },
    { walletId, seq: seq + 1 },
  ];
};

const ofPart = (change: (entry: Entry) => void) => (entries: Entry[]) => {
  for (const entry of entries) if (entry.seq === partSeq) change(entry);
  return entries;
};

const edits: Readonly<Record<string, Edit>> = {
  amount: setEntry('amount = amount + sign(amount)'),
  description: setEntry(`description = 'edited'`),
  'swapped rows': swap,
  'removed row': inTable('wallet', 'DELETE FROM transactions'),
  time: setEntry(`occurred_at = occurred_at - interval '1 year'`),
  metadata: setEntry(`metadata = '{"a":"b"}'`),
  'balance of the wallet': setWallet('balance = balance + 1'),
  'hash of the wallet': setWallet(`last_hash = decode(repeat('00', 32), 'hex')`),
  parent: setEntry('parent_id = gen_random_uuid()'),
  'altered line': inTable('statement', 'UPDATE statement_lines SET amount = amount + sign(amount)'),
  'missing line': inTable('statement', 'DELETE FROM statement_lines'),
  'balance after': setEntry('balance_after = balance_after + 1'),
  hash: setEntry(`hash = decode(repeat('00', 32), 'hex')`),
  'sum of debits': setEntry('debited_after = debited_after + 1'),
  'debits of the wallet': setWallet('debited = debited + 1'),
  'floor of the wallet': setWallet('floor = floor - 1'),
  'reserved amount of the wallet': setWallet('held = held + 1'),
  'overdraft of the wallet': setWallet('overdraft_limit = 1000'),
  'next expiry of the wallet': setWallet(`next_expiry = next_expiry + interval '1 ms'`),
  'no next expiry': setWallet('next_expiry = NULL'),
  'closed wallet': setWallet(`status = 'closed'`),
  'place of a part': setEntry('parent_used = parent_used + 1', partSeq, true),
  'amount of the parent': setEntry('parent_amount = parent_amount + 1', partSeq),
  'what was used of a hold': setHold('used = used - 1'),
  'what was captured of a hold': setHold('captured = captured + 1'),
  'state of a hold': setHold(`state = 'released'`),
  'open hold': setHold(`state = 'released', used = amount`, openHoldSeq),
  'expiry of a hold': setHold(`expires_at = expires_at + interval '1 ms'`, openHoldSeq),
  'account of a hold': setHold(`contra_account = 'merchant'`),
  'end of a hold': setHold('closed_at = NULL'),
  'removed hold': dropHold,
  'invented hold': inventHold,
  'reserved amount': setEntry('held = held + 1', openHoldSeq),
  'amount of a capture': setUse('amount = amount - 1', captureSeq, [usedHoldSeq, releaseSeq], true),
  'release of a part': setUse('held = held + 1', releaseSeq, [usedHoldSeq]),
  'one side of an undo, forged': forge(
    (entries) => entries.filter(({ seq }) => seq !== partSeq),
    false,
  ),
  'amount of one side, forged': forge(
    ofPart((entry) => (entry.amount += 1n)),
    true,
  ),
  'payer of one side, forged': forge(
    ofPart((entry) => (entry.contra_account = 'user:6f1c3f3e-0000-4000-8000-00000000ffff')),
    true,
  ),
};

export const editNames = Object.keys(edits);

/** Edits one wallet; gives the places at which it must be found. */
export async function makeEdit(
  name: string,
  edited: Edited,
  random: () => number,
  query: Query,
): Promise<readonly Place[]> {
  const edit = edits[name];
  if (!edit) throw new Error(`there is no edit ${name}`);
  return edit(edited, random, query);
}
