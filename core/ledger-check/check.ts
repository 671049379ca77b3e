import { hash } from 'node:crypto';

import { copyBytes, equalBytes, writeHex } from '../bytes.ts';
import { genesisHash, linkBytes } from '../chain.ts';
import { hashBytes } from '../statement-format/chained-fields.ts';
import { hasDigest } from '../statement-format/rows.ts';
import { checkOperation } from './operation-rules.ts';
import {
  createEntryReader,
  listDifferences,
  none,
  readAmount,
  readBalance,
  readDebit,
  readDebited,
  readLine,
  readSeq,
  readUuid,
  toTimeMs,
  type EntryRow,
  type LineRow,
} from './rows.ts';
import { isOwnersLine, type WalletRow } from './read-wallet.ts';
import { checkFloor, checkHeld } from './reserved.ts';
import { forget, newState, reset, toLast, type State } from './state.ts';
import { addToSum, minorOf } from './sums.ts';
import type { CheckListener, LedgerFinding } from './types.ts';
import { checkWalletRow, findOwnerProblem } from './wallet-row.ts';

const nothing = Buffer.alloc(0);
/** A row of COPY lies in `bytes` from `start` to `end`. */
export type RawRow = { bytes: Buffer; start: number; end: number };

/** A check under way: the entry and the line that were read last, and what came before them. */
type Check = {
  readonly state: State;
  readonly row: EntryRow;
  readonly line: LineRow;
  readonly listener: CheckListener;
};

/**
 * Checks the entries of wallets one after the other. After a finding it goes on from what the row
 * says, so that one edited row is one place: the rows behind it are held against the row as it is
 * and as it should be.
 */
export function createLedgerCheck(listener: CheckListener) {
  const { row, read } = createEntryReader();
  const line: LineRow = {
    ...{ bytes: nothing, end: 0, previousHashAt: -1, userAt: 0, currencyAt: 0, currencyEnd: 0 },
    sharedAt: 0,
  };
  const check: Check = { state: newState(), row, line, listener };
  return {
    /** The wallet whose entries come; without its row where there is none. */
    begin: (id: string, wallet: WalletRow | undefined): void => begin(check, id, wallet),
    /** The next entry of the wallet, with its line. */
    entry: (entry: RawRow, itsLine: RawRow | undefined): void => {
      const seq = readSeq(entry.bytes, entry.start);
      try {
        read(entry.bytes, entry.start, entry.end);
      } catch {
        checkSeq(check, seq);
        report(check, seq, 'hash', 'it cannot be read: it has an unknown operation');
        forget(check.state);
        check.state.seq = seq;
        check.state.isBad = true;
        return;
      }
      if (itsLine) readLine(line, itsLine.bytes, itsLine.start, itsLine.end);
      else listener.onMissing?.(check.state.id, BigInt(seq));
      checkEntry(check, itsLine !== undefined);
    },
    /** A line that no entry has. */
    extra: ({ bytes, start }: RawRow): void =>
      report(check, readSeq(bytes, start), 'line_extra', 'the ledger does not have it'),
    /** After the last wallet. */
    finish: (): void => finish(check),
  };
}

const report = (
  { state, listener }: Check,
  seq: number,
  kind: LedgerFinding['kind'],
  detail: string,
): void => listener.report({ walletId: state.id, seq: BigInt(seq), kind, detail });

function begin(check: Check, id: string, wallet: WalletRow | undefined): void {
  finish(check);
  const { state } = check;
  state.id = id;
  state.wallet = wallet;
  if (!wallet) return;
  const { userId, currency } = wallet;
  state.ownerProblem = findOwnerProblem(wallet);
  if (state.ownerProblem !== undefined) return;
  writeHex(state.previous, genesisHash(id, userId, currency), 0);
  state.hasPrevious = true;
}

function finish(check: Check): void {
  const { state } = check;
  const { wallet, entries, id, ownerProblem } = state;
  if (id === '') return;
  if (wallet) {
    const last = toLast(state);
    checkWalletRow(wallet, ownerProblem, last, (...found) => report(check, ...found));
    askOpenHolds(check, wallet);
  } else if (entries > 0) {
    report(check, state.seq, 'no_wallet', `${entries} entries have no wallet`);
  }
  reset(state);
}

/** Has the first open hold looked up where something is reserved. */
function askOpenHolds({ state, listener }: Check, wallet: WalletRow): void {
  if (wallet.heldMinor === 0n && minorOf(state.held) === 0n) return;
  const { nextExpiryMicros: next } = wallet;
  listener.onOpenHolds?.({
    ...{ walletId: state.id, seq: BigInt(state.seq) },
    nextExpiryMs: next === undefined ? undefined : toTimeMs(next),
    lastOtherMs: toTimeMs(state.otherMicros),
  });
}

function checkEntry(check: Check, hasLine: boolean): void {
  const { row, line, state } = check;
  checkSeq(check, row.seq);
  const differences = hasLine ? listDifferences(row, line) : none;
  const faults = hasLine && hasLineFault(check) ? listLineFaults(check) : none;
  const verdict = checkHash(check, hasLine);
  if (verdict === undefined) {
    const others = differences.filter((name) => name !== 'hash');
    const hint = others.length > 0 ? `; its line has another ${others.join(', ')}` : '';
    report(check, row.seq, 'hash', `it is not what its hash says${hint}`);
  } else if (differences.length + faults.length > 0) {
    const names = [...differences, ...faults].join(', ');
    report(check, row.seq, 'line_altered', `the line differs from the entry in ${names}`);
  }
  checkSums(check, verdict === 'line');
  checkOperation(state, row, check.listener);
  checkTime(check, verdict !== undefined);
  if (verdict !== undefined) state.computed = '';
  // Where entry and line have two contents, the next entry shows which is the right one.
  state.isBad = verdict === undefined || differences.includes('hash');
  state.hasPrevious = row.hashAt >= 0;
  if (state.hasPrevious)
    copyBytes(row.bytes, row.hashAt, row.hashAt + hashBytes, state.previous, 0);
  state.seq = row.seq;
  state.entries += 1;
}

function checkSeq(check: Check, seq: number): void {
  const { state } = check;
  if (seq === state.seq + 1) return;
  const isBehind = seq <= state.seq;
  report(
    check,
    isBehind ? seq : state.seq + 1,
    'gap',
    isBehind ? 'two entries have this number' : describeMissing(state.seq + 1, seq - 1),
  );
  forget(state);
}

/** Whether the hash of `row` is what it should be; `hasLine`: `line` is of the same entry. */
function checkHash({ row, line, state }: Check, hasLine: boolean): 'own' | 'line' | undefined {
  const content = hash('sha256', row.content, 'binary');
  const { previous, hasPrevious, isBad, computed } = state;
  const { bytes, hashAt } = row;
  const own = hasPrevious ? linkBytes(previous, 0, content) : '';
  if (hasDigest(bytes, hashAt, own)) return 'own';
  if (isBad && computed !== '') {
    const other = linkBytes(Buffer.from(computed, 'latin1'), 0, content);
    if (hasDigest(bytes, hashAt, other)) return 'own';
  }
  if (hasLine && line.previousHashAt >= 0 && (isBad || !hasPrevious)) {
    const other = linkBytes(line.bytes, line.previousHashAt, content);
    if (hasDigest(bytes, hashAt, other)) return 'line';
  }
  // With the entry before missing, and without a line, nothing says what it follows.
  if (!hasPrevious && !hasLine && hashAt >= 0) return 'own';
  state.computed = own;
  return undefined;
}

function checkSums(check: Check, isVouchedFor: boolean): void {
  const { row, state } = check;
  const { balance, debited, held } = state;
  const { amount } = row;
  const balanceWas = addToSum(
    balance,
    row,
    amount,
    row.balance,
    readAmount,
    readBalance,
    isVouchedFor,
  );
  if (balanceWas !== undefined) {
    const detail = `the balance is ${readBalance(row)}, by the amounts it is ${balanceWas}`;
    report(check, row.seq, 'balance', detail);
  }
  // NaN stays NaN.
  const debit = amount > 0 ? 0 : -amount;
  const debitedWas = addToSum(
    debited,
    row,
    debit,
    row.debited,
    readDebit,
    readDebited,
    isVouchedFor,
  );
  if (debitedWas !== undefined) {
    const detail = `the sum of debits is ${readDebited(row)}, by the amounts it is ${debitedWas}`;
    report(check, row.seq, 'debited', detail);
  }
  const isPlain = !row.hasMore && held.exact === 0 && row.balance >= 0;
  if (isPlain && balanceWas === undefined) return;
  const reportHere = (kind: LedgerFinding['kind'], detail: string): void =>
    report(check, row.seq, kind, detail);
  checkHeld(row, state, isVouchedFor, reportHere);
  checkFloor(row, state, balanceWas, reportHere);
}

function checkTime(check: Check, isGood: boolean): void {
  const { row, state } = check;
  const { micros, seq } = row;
  if (micros < state.micros) report(check, seq, 'time', 'it is earlier than the entry before');
  else if (micros % 1_000 !== 0) report(check, seq, 'time', 'it is no whole millisecond');
  else if (isGood) {
    state.micros = micros;
    if (!row.isOfSystem) state.otherMicros = micros;
  }
}

/** Whether `listLineFaults` finds any. */
function hasLineFault({ line, state }: Check): boolean {
  const { wallet, ownerProblem, isBad } = state;
  if (state.hasPrevious && !isBad && !followsHash(line, state.previous)) return true;
  return wallet !== undefined && ownerProblem === undefined && !isOwnersLine(line, wallet);
}

/** What the line has besides what the entry has. */
function listLineFaults({ line, state }: Check): string[] {
  const { wallet, ownerProblem, isBad } = state;
  const faults: string[] = [];
  if (state.hasPrevious && !isBad && !followsHash(line, state.previous)) {
    faults.push('previous_hash');
  }
  if (!wallet || ownerProblem !== undefined) return faults;
  if (readUuid(line.bytes, line.userAt) !== wallet.userId) faults.push('user_id');
  const currency = line.bytes.toString('utf8', line.currencyAt, line.currencyEnd);
  if (currency !== wallet.currency) faults.push('currency');
  return faults;
}

const describeMissing = (from: number, to: number): string =>
  from === to ? `entry ${from} is missing` : `entries ${from} to ${to} are missing`;

const followsHash = ({ bytes, previousHashAt }: LineRow, hash: Buffer): boolean =>
  previousHashAt >= 0 && equalBytes(bytes, previousHashAt, hash, 0, hashBytes);
