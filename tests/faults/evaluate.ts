import { findFaults, queryService, waitUntil } from '../support/ledger/ledger.ts';
import { sizeOf } from '../support/ledger/wallet-model.ts';
import type { Listener } from './load/listener.ts';
import type { Load } from './load/load.ts';
import type { Messages } from './load/messages.ts';

const settleMs = 90_000;
const maxShown = 10;

export type Evaluated = { readonly facts: readonly string[]; readonly outboxRows: number };

/** What must be so once everything is repaired and has come to rest. */
export async function evaluate(
  load: Load,
  messages: Messages,
  listener: Listener,
): Promise<Evaluated> {
  await waitForRest(load, messages);
  const outboxRows = await count(load, 'wallet', 'outbox');
  if (outboxRows !== 0) load.report.violate('outbox', `${outboxRows} rows are left`);
  await judgeLedger(load);
  const rows = await readRows(load);
  judgeAnswers(load, rows);
  judgeEvents(load, rows, listener);
  await judgeDeadLetters(load, messages);
  judgeLogs(load);
  const facts = [
    `ledger: ${rows.size} entries of ${load.book.all.size} transactions asked for`,
    `events: ${listener.repeated} came again; messages: ${messages.duplicates} duplicates, ` +
      `${messages.poison.size} poison`,
  ];
  return { facts, outboxRows };
}

const count = async (load: Load, service: string, from: string): Promise<number> => {
  const text = `SELECT count(*)::int AS count FROM ${from}`;
  const [row] = await queryService<{ count: number }>(load.site.dataDir, service, text);
  return row?.count ?? -1;
};

async function countQueued({ site }: Load): Promise<number> {
  const args = ['list_queues', '-p', site.vhost, 'messages', '--no-table-headers'];
  const listed = await site.broker.ctl(...args);
  return listed.split('\n').reduce((sum, line) => sum + (Number(line) || 0), 0);
}

const soonOver = `holds WHERE state = 'open' AND expires_at < clock_timestamp() + interval '5 min'`;

/** Nothing waits: in the outboxes, in the queues, or for the answer of an operation. */
async function waitForRest(load: Load, messages: Messages): Promise<void> {
  const { report, book } = load;
  const rests: readonly (readonly [string, () => Promise<boolean>])[] = [
    // Those of an hour are not waited for.
    ['no hold is about to expire', async () => (await count(load, 'wallet', soonOver)) === 0],
    ['the outbox is empty', async () => (await count(load, 'wallet', 'outbox')) === 0],
    ['the queues are empty', async () => (await countQueued(load)) === 0],
    [
      'the poison is recorded',
      async () => {
        const found = await count(load, 'wallet', 'dead_letters');
        return found >= messages.poison.size;
      },
    ],
    [
      'every operation has its answer',
      () => Promise.resolve([...book.all.values()].every((op) => op.outcome !== undefined)),
    ],
  ];
  for (const [what, isSo] of rests) {
    await waitUntil(what, isSo, settleMs).catch(() => report.violate('rest', `not so: ${what}`));
  }
  for (const op of book.all.values()) {
    if (!op.outcome) report.violate('rest', 'never answered', book.describe(op));
  }
}

async function judgeLedger({ site, report }: Load): Promise<void> {
  let faults: string[] = [];
  const agree = async (): Promise<boolean> => {
    faults = await findFaults(site.dataDir);
    return faults.length === 0;
  };
  await waitUntil('ledger and lines agree', agree, 30_000).catch(() => undefined);
  for (const fault of faults) report.violate('ledger', fault);
  const [sums] = await queryService<{ balances: string; entries: string }>(
    site.dataDir,
    'wallet',
    `SELECT (SELECT sum(balance) FROM wallets)::text AS balances,
       (SELECT sum(amount) FROM transactions)::text AS entries`,
  );
  if (sums?.balances !== sums?.entries) {
    report.violate('ledger', `balances ${sums?.balances}, entries ${sums?.entries}`);
  }
}

type Row = {
  readonly id: string;
  readonly wallet_id: string;
  readonly seq: string;
  readonly amount: string;
  readonly held: string | null;
  readonly source: number;
  readonly hash: Buffer;
};

async function readRows({ site, report }: Load): Promise<Map<string, Row>> {
  const text = 'SELECT id, wallet_id, seq, amount, held, source, hash FROM transactions';
  const rows = await queryService<Row>(site.dataDir, 'wallet', text);
  const byPlace = new Map(rows.map((row) => [placeOf(row.wallet_id, row.id), row]));
  if (byPlace.size !== rows.length) report.violate('ledger', 'one id on several rows of a wallet');
  return byPlace;
}

/** A transaction between two wallets has a row on each. */
const placeOf = (walletId: string, id: string): string => `${walletId} ${id}`;

/**
 * What was answered OK is there once, as answered; what was refused is not; and nothing else is.
 */
function judgeAnswers({ book, report }: Load, rows: ReadonlyMap<string, Row>): void {
  for (const op of book.all.values()) {
    const row = rows.get(placeOf(op.walletId, op.id));
    const { outcome } = op;
    if (outcome?.isDone && !row)
      report.violate('answers', 'done, and not there', book.describe(op));
    if (outcome?.isDone === false && row)
      report.violate('answers', `refused, and there as ${row.seq}`, book.describe(op));
    if (!outcome?.isDone || !row) continue;
    const minor = BigInt(row.amount === '0' ? (row.held ?? 0) : row.amount);
    const isSame =
      row.wallet_id === op.walletId &&
      sizeOf(minor) === op.amountMinor &&
      (outcome.seq === undefined || outcome.seq === BigInt(row.seq));
    if (!isSame)
      report.violate('answers', `there as ${row.seq} with ${row.amount}`, book.describe(op));
  }
  // walletd releases expired holds by itself: that is looked at with the holds.
  const unasked = [...rows.values()].filter(({ id, source }) => !book.all.has(id) && source !== 3);
  for (const row of unasked.slice(0, maxShown)) {
    report.violate('ledger', `a transaction that was never asked for: ${row.id}`);
  }
}

/** Each entry was published once in effect, without a gap from 1, as the ledger has it. */
function judgeEvents({ report }: Load, rows: ReadonlyMap<string, Row>, listener: Listener): void {
  for (const row of rows.values()) {
    const event = listener.heard.get(row.wallet_id)?.get(BigInt(row.seq));
    const where = `${row.wallet_id} seq ${row.seq}`;
    if (!event) report.violate('events', `no event of ${where}`);
    else if (event.id !== row.id || event.hash !== row.hash.toString('hex')) {
      report.violate('events', `${where} differs from its event`, event.text);
    }
  }
  const heard = [...listener.heard.values()].reduce((sum, wallet) => sum + wallet.size, 0);
  if (heard > rows.size) report.violate('events', `${heard} heard, ${rows.size} in the ledger`);
}

async function judgeDeadLetters({ site, report }: Load, messages: Messages): Promise<void> {
  type Letter = { message_id: string | null; reason: string; body: string };
  const text = 'SELECT message_id, reason, body FROM dead_letters';
  for (const service of ['wallet', 'statement']) {
    for (const letter of await queryService<Letter>(site.dataDir, service, text)) {
      const { message_id: key, reason, body } = letter;
      if (reason === 'NOT_JSON' && key !== null && messages.poison.has(key)) continue;
      const kind = reason === 'INTERNAL' ? 'INTERNAL' : 'dead letters';
      report.violate(kind, `${reason} in ${service}`, `${key} ${body}`);
    }
  }
}

/** A daemon may not meet anything that it did not expect. */
function judgeLogs({ site, report }: Load): void {
  for (const node of site.nodes) {
    for (const line of node.log().split('\n')) {
      const isBad = /"level":"(error|fatal)"|unexpected error|[Uu]ncaught|Unhandled/.test(line);
      if (isBad) report.violate('log', `the ${node.name} daemon`, line);
    }
  }
}
