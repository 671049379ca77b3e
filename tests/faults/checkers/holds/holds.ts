import type { EntryRow, FinalRows, HoldRow } from '../../../support/ledger/final-rows.ts';
import { uuidOf } from '../../../support/ledger/wallet-model.ts';
import { groupBy } from '../group.ts';
import type { Checker, Violation } from '../violation.ts';

const checker = 'holds';
const [hold, capture, release] = [7, 8, 9];
const ofSystem = 3;

/** A hold, as the entries of its wallet make it. */
type Fold = {
  readonly placed: EntryRow;
  readonly amount: bigint;
  readonly expiresMs: number;
  used: bigint;
  captured: bigint;
  isExpired: boolean;
};

type Say = (seq: string, what: string) => void;

/**
 * What is reserved after each entry is the sum of what was, and what an ordinary debit or hold
 * leaves covers it. A hold whose time is over at an entry was released before it, all of it, by
 * walletd itself, and was not used otherwise. The rows of holds are what the entries make.
 */
export const checkHolds: Checker = (_history, rows) => {
  const violations: Violation[] = [];
  const folds = new Map<string, Fold>();
  for (const [walletId, entries] of groupBy(rows.entries, (entry) => entry.wallet_id)) {
    const say: Say = (seq, what) =>
      void violations.push({ checker, walletId, seq: BigInt(seq), what });
    const open = new Map<string, Fold>();
    let held = 0n;
    for (const entry of entries) {
      held += BigInt(entry.held ?? 0);
      if (BigInt(entry.held_after ?? 0) !== held) say(entry.seq, `${held} are reserved by the sum`);
      checkSystem(entry, open, say);
      for (const fold of listDue(open, entry)) {
        say(entry.seq, `hold ${fold.placed.id} has expired, and was not released before it`);
      }
      checkCover(entry, held, say);
      const fold = enter(entry, open, say);
      if (fold) folds.set(`${walletId} ${fold.placed.id}`, fold);
    }
    const wallet = rows.wallets.find(({ id }) => id === walletId);
    if (BigInt(wallet?.held ?? 0) !== held) say(wallet?.seq ?? '0', `the wallet has another sum`);
  }
  violations.push(...compareRows(rows, folds));
  return violations;
};

/** A hold or debit leaves what is reserved; what a capture takes was reserved before. */
function checkCover(entry: EntryRow, held: bigint, say: Say): void {
  const isDebit = BigInt(entry.amount) < 0n && entry.parent_id === null;
  if (!isDebit && entry.operation !== hold) return;
  const balance = BigInt(entry.balance_after);
  if (balance < held) say(entry.seq, `${held} are reserved, and the balance is ${balance}`);
}

/** Open holds whose time is over at an entry that is not the release of one of them. */
const listDue = (open: ReadonlyMap<string, Fold>, { source, at_ms: at }: EntryRow): Fold[] =>
  source === ofSystem ? [] : [...open.values()].filter((fold) => fold.expiresMs <= Number(at));

function checkSystem(entry: EntryRow, open: ReadonlyMap<string, Fold>, say: Say): void {
  if (entry.source !== ofSystem) return;
  const fold = open.get(entry.parent_id ?? '');
  const left = fold ? fold.amount - fold.used : 0n;
  const isRight =
    fold !== undefined &&
    entry.operation === release &&
    entry.id === uuidOf(entry.wallet_id, `system:expire:${fold.placed.id}`) &&
    Number(entry.at_ms) >= fold.expiresMs &&
    BigInt(entry.held ?? 0) === -left;
  if (!isRight) say(entry.seq, 'walletd entered what is no release of an expired hold');
}

/** Takes an entry in; gives a hold that was placed by it. */
function enter(entry: EntryRow, open: Map<string, Fold>, say: Say): Fold | undefined {
  if (entry.operation === hold) {
    const expiresMs = Date.parse(entry.metadata?.['dw.expiresAt'] ?? '');
    if (!(expiresMs > Number(entry.at_ms))) say(entry.seq, 'it expires before it is placed');
    const amount = BigInt(entry.held ?? 0);
    const fold = { placed: entry, amount, expiresMs, used: 0n, captured: 0n, isExpired: false };
    open.set(entry.id, fold);
    return fold;
  }
  const isUse = entry.operation === release || entry.operation === capture;
  if (!isUse || entry.parent_id === null) return undefined;
  const fold = open.get(entry.parent_id);
  if (!fold) {
    say(entry.seq, `it uses hold ${entry.parent_id}, which is closed`);
    return undefined;
  }
  const [moved, freed] = [-BigInt(entry.amount), -BigInt(entry.held ?? 0)];
  if (freed < moved || freed <= 0n) say(entry.seq, `it captures ${moved}, and releases ${freed}`);
  fold.used += freed;
  fold.captured += moved;
  fold.isExpired = entry.source === ofSystem;
  if (fold.used > fold.amount) say(entry.seq, `${fold.used} of ${fold.amount} are used`);
  if (fold.used >= fold.amount) open.delete(entry.parent_id);
  return undefined;
}

function stateOf({ amount, used, captured, isExpired }: Fold): string {
  if (used < amount) return 'open';
  if (isExpired) return 'expired';
  return captured > 0n ? 'captured' : 'released';
}

function compareRows({ holds = [] }: FinalRows, folds: ReadonlyMap<string, Fold>): Violation[] {
  const violations: Violation[] = [];
  const rows = new Map(holds.map((row) => [`${row.wallet_id} ${row.id}`, row]));
  for (const [place, fold] of folds) {
    const row = rows.get(place);
    rows.delete(place);
    const difference = row ? findDifference(row, fold) : 'the table of holds does not have it';
    if (difference === undefined) continue;
    const { wallet_id: walletId, seq } = fold.placed;
    violations.push({ checker, walletId, seq: BigInt(seq), what: difference });
  }
  for (const { wallet_id: walletId, seq, id } of rows.values()) {
    const what = `the table of holds has ${id}, which no entry has placed`;
    violations.push({ checker, walletId, seq: BigInt(seq), what });
  }
  return violations;
}

function findDifference(row: HoldRow, fold: Fold): string | undefined {
  const found = [row.seq, row.amount, row.used, row.captured, row.state, row.contra_account];
  const { seq, contra_account: account } = fold.placed;
  const { amount, used, captured } = fold;
  const expected = [seq, ...[amount, used, captured].map(String), stateOf(fold), account];
  const [is, due] = [
    [...found, row.expires_ms],
    [...expected, String(fold.expiresMs)],
  ];
  return is.join() === due.join()
    ? undefined
    : `the table of holds has ${is.join(', ')}, the entries ${due.join(', ')}`;
}
