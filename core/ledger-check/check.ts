import { hash } from 'node:crypto';

import { copyBytes, equalBytes, writeHex } from '../bytes.ts';
import { genesisHash, linkBytes } from '../chain.ts';
import { isUndo, operationOfCode } from '../operations.ts';
import { hashBytes } from '../statement-format/chained-fields.ts';
import { hasDigest } from '../statement-format/rows.ts';
import {
  createEntryReader,
  isOwnersLine,
  listDifferences,
  none,
  readAmount,
  readBalance,
  readLine,
  readSeq,
  readUuid,
  type EntryRow,
  type LineRow,
  type WalletRow,
} from './rows.ts';
import { balanceOf, forget, newState, reset, toLast, type State } from './state.ts';
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
  } else if (entries > 0) {
    report(check, state.seq, 'no_wallet', `${entries} entries have no wallet`);
  }
  reset(state);
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
  checkBalance(check, verdict === 'line');
  checkTime(check, verdict !== undefined);
  checkParent(check);
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

function checkBalance(check: Check, isVouchedFor: boolean): void {
  const { row, state } = check;
  // Exact: each of them is below 10^15, or NaN.
  const isNext = state.balance + row.amount === row.balance;
  const before = isNext ? undefined : balanceOf(state);
  const { expectedMinor } = state;
  state.expectedMinor = undefined;
  state.balance = row.balance;
  state.balanceMinor = Number.isNaN(row.balance) ? readBalance(row) : undefined;
  if (before === undefined || isVouchedFor) return;
  const [amountMinor, found] = [readAmount(row), readBalance(row)];
  const expected = before + amountMinor;
  if (found === expected) return;
  if (expectedMinor !== undefined && found === expectedMinor + amountMinor) return;
  state.expectedMinor = expected;
  report(check, row.seq, 'balance', `the balance is ${found}, by the amounts it is ${expected}`);
}

function checkTime(check: Check, isGood: boolean): void {
  const { row, state } = check;
  const { micros, seq } = row;
  if (micros < state.micros) report(check, seq, 'time', 'it is earlier than the entry before');
  else if (micros % 1_000 !== 0) report(check, seq, 'time', 'it is no whole millisecond');
  else if (isGood) state.micros = micros;
}

function checkParent(check: Check): void {
  const { row, state, listener } = check;
  const operation = operationOfCode(row.operation);
  const { parentAt, seq } = row;
  if (isUndo(operation)) {
    if (parentAt < 0) report(check, seq, 'parent', `a ${operation} has no parent`);
    else {
      listener.onUndo({
        ...{ walletId: state.id, seq: BigInt(seq), operation: row.operation },
        amountMinor: readAmount(row),
        parentId: readUuid(row.bytes, parentAt),
      });
    }
    return;
  }
  if (parentAt >= 0) report(check, seq, 'parent', `a ${operation} has a parent`);
  const amount = Number.isNaN(row.amount) ? readAmount(row) : row.amount;
  const isRight = operation === 'deposit' ? amount > 0 : amount < 0;
  if (!isRight) report(check, seq, 'amount', `a ${operation} has the amount ${amount}`);
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
