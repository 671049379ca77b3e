import type { Service } from '../../bench/support/server.ts';

type Query = (service: Service, text: string, values: unknown[]) => Promise<unknown>;

const change = (service: Service, table: string, set: string) => ({
  service,
  text: `UPDATE ${table} SET ${set} WHERE wallet_id = $1 AND seq = $2`,
});
const ofEntry = (set: string) => change('wallet', 'transactions', set);
const ofLine = (set: string) => change('statement', 'statement_lines', set);
const ofWallet = (set: string) => ({
  ...{ service: 'wallet' as const, isWallet: true },
  text: `UPDATE wallets SET ${set} WHERE id = $1 AND seq = $2`,
});

const edits: Readonly<Record<string, { service: Service; text: string; isWallet?: boolean }>> = {
  amount: ofEntry('amount = amount + sign(amount)'),
  description: ofEntry(`description = 'edited'`),
  'swapped rows': { service: 'wallet', text: '' },
  'removed row': {
    service: 'wallet',
    text: 'DELETE FROM transactions WHERE wallet_id = $1 AND seq = $2',
  },
  time: ofEntry(`occurred_at = occurred_at - interval '1 year'`),
  metadata: ofEntry(`metadata = '{"a":"b"}'`),
  'balance of the wallet': ofWallet('balance = balance + 1'),
  'hash of the wallet': ofWallet(`last_hash = decode(repeat('00', 32), 'hex')`),
  parent: ofEntry('parent_id = gen_random_uuid()'),
  'altered line': ofLine('amount = amount + sign(amount)'),
  'missing line': {
    service: 'statement',
    text: 'DELETE FROM statement_lines WHERE wallet_id = $1 AND seq = $2',
  },
  'balance after': ofEntry('balance_after = balance_after + 1'),
  hash: ofEntry(`hash = decode(repeat('00', 32), 'hex')`),
};

export const editNames = Object.keys(edits);

/** Edits one wallet that has so many entries; gives the numbers at which it must be found. */
export async function makeEdit(
  name: string,
  walletId: string,
  entries: number,
  random: () => number,
  query: Query,
): Promise<number[]> {
  const edit = edits[name];
  if (!edit) throw new Error(`there is no edit ${name}`);
  // Neither the first nor the last two: a row in the middle.
  const seq = edit.isWallet ? entries : 2 + Math.floor(random() * (entries - 3));
  if (name !== 'swapped rows') {
    await query(edit.service, edit.text, [walletId, seq]);
    return [seq];
  }
  // Both at once would meet in the key: they are moved out of the way first.
  const away = `UPDATE transactions SET seq = seq + 1000000
    WHERE wallet_id = $1 AND seq IN ($2::bigint, $2::bigint + 1)`;
  await query('wallet', away, [walletId, seq]);
  const back = `UPDATE transactions SET seq = 2 * $2::bigint + 1 - (seq - 1000000)
    WHERE wallet_id = $1 AND seq > 1000000`;
  await query('wallet', back, [walletId, seq]);
  return [seq, seq + 1];
}
