import { hash } from 'node:crypto';

import { genesisHash, linkBytes } from '../chain.ts';
import { isUndo, operationOfCode } from '../operations.ts';
import { hasDigest } from '../statement-format/rows.ts';
import { createEntryReader, listDifferences, readLine, readSeq, readUuid } from './rows.ts';
import type { EntryRow, LineRow, WalletRow } from './rows.ts';
import type { CheckListener, LedgerFinding } from './types.ts';
import { checkWalletRow, findOwnerProblem, type LastEntry } from './wallet-row.ts';

const nothing = Buffer.alloc(0);
/** A row of COPY lies in `bytes` from `start` to `end`. */
export type RawRow = { bytes: Buffer; start: number; end: number };

/** What is known of a wallet up to the entry that was looked at last. */
type State = {
  id: string;
  wallet: WalletRow | undefined;
  ownerProblem: string | undefined;
  seq: number;
  entries: number;
  /** The hash that the next entry follows; undefined where the entry before is missing. */
  previous: { bytes: Buffer; at: number } | undefined;
  /**
   * The hash that the entry before should have, where it has another: either may be what was
   * changed, and the next entry shows which.
   */
  computed: string;
  /** The entry before is not what it was. */
  isBad: boolean;
  /** The same of its balance. */
  balanceMinor: bigint | undefined;
  expectedMinor: bigint | undefined;
  micros: number;
};

const newState = (): State => ({
  ...{ id: '', wallet: undefined, ownerProblem: undefined, seq: 0, entries: 0 },
  ...{ previous: undefined, computed: '', isBad: false, micros: -Infinity },
  ...{ balanceMinor: 0n, expectedMinor: undefined },
});

/** A check under way: the entry and the line that were read last, and what came before them. */
type Check = {
  state: State;
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
        const unknown = { previous: undefined, balanceMinor: undefined, isBad: true };
        Object.assign(check.state, { seq, ...unknown });
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
  state.previous = { bytes: Buffer.from(genesisHash(id, userId, currency), 'hex'), at: 0 };
}

function finish(check: Check): void {
  const { state } = check;
  const { wallet, entries, id, ownerProblem } = state;
  if (id === '') return;
  if (wallet) {
    checkWalletRow(wallet, ownerProblem, toLast(state), (seq, kind, detail) =>
      report(check, seq, kind, detail),
    );
  } else if (entries > 0) {
    report(check, state.seq, 'no_wallet', `${entries} entries have no wallet`);
  }
  check.state = newState();
}

function checkEntry(check: Check, hasLine: boolean): void {
  const { row, line, state } = check;
  checkSeq(check, row.seq);
  const differences = hasLine ? listDifferences(row, line) : [];
  const faults = hasLine ? listLineFaults(check) : [];
  const verdict = checkHash(check, hasLine);
  if (verdict === undefined) {
    const others = differences.filter((name) => name !== 'hash');
    const hint = others.length > 0 ? `; its line has another ${others.join(', ')}` : '';
    report(check, row.seq, 'hash', `it is not what its hash says${hint}`);
  } else if (differences.length + faults.length > 0) {
    const names = [...differences, ...faults].join(', ');
    report(check, row.seq, 'line_altered', `the line differs from the entry in ${names}`);
  }
  const { bytes, hashAt } = row;
  checkBalance(check, verdict === 'line');
  checkTime(check, verdict !== undefined);
  checkParent(check);
  if (verdict !== undefined) state.computed = '';
  // Where entry and line have two contents, the next entry shows which is the right one.
  state.isBad = verdict === undefined || differences.includes('hash');
  state.previous = hashAt < 0 ? undefined : { bytes, at: hashAt };
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
  state.previous = undefined;
  state.balanceMinor = undefined;
}

/** Whether the hash of `row` is what it should be; `hasLine`: `line` is of the same entry. */
function checkHash({ row, line, state }: Check, hasLine: boolean): 'own' | 'line' | undefined {
  const content = hash('sha256', row.content, 'binary');
  const { previous, isBad, computed } = state;
  const isHash = (digest: string): boolean => hasDigest(row.bytes, row.hashAt, digest);
  const own = previous ? linkBytes(previous.bytes, previous.at, content) : '';
  if (isHash(own)) return 'own';
  if (isBad && computed !== '') {
    if (isHash(linkBytes(Buffer.from(computed, 'latin1'), 0, content))) return 'own';
  }
  const canAskLine = hasLine && line.previousHashAt >= 0 && (isBad || !previous);
  if (canAskLine && isHash(linkBytes(line.bytes, line.previousHashAt, content))) return 'line';
  // With the entry before missing, and without a line, nothing says what it follows.
  if (!previous && !hasLine && row.hashAt >= 0) return 'own';
  state.computed = own;
  return undefined;
}

function checkBalance(check: Check, isVouchedFor: boolean): void {
  const { row, state } = check;
  const { balanceMinor, expectedMinor } = state;
  const { amountMinor, balanceMinor: found } = row;
  state.expectedMinor = undefined;
  state.balanceMinor = found;
  if (balanceMinor === undefined || isVouchedFor) return;
  const expected = balanceMinor + amountMinor;
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
  const { amountMinor, parentAt, seq } = row;
  if (isUndo(operation)) {
    if (parentAt < 0) report(check, seq, 'parent', `a ${operation} has no parent`);
    else {
      listener.onUndo({
        ...{ walletId: state.id, seq: BigInt(seq), operation: row.operation, amountMinor },
        parentId: readUuid(row.bytes, parentAt),
      });
    }
    return;
  }
  if (parentAt >= 0) report(check, seq, 'parent', `a ${operation} has a parent`);
  const isCredit = operation === 'deposit';
  if (isCredit !== amountMinor > 0n || amountMinor === 0n) {
    report(check, seq, 'amount', `a ${operation} has the amount ${amountMinor}`);
  }
}

/** What the line has besides what the entry has. */
function listLineFaults({ line, state }: Check): string[] {
  const { wallet, ownerProblem, previous, isBad } = state;
  const faults: string[] = [];
  if (previous && !isBad && !equals(line, previous)) faults.push('previous_hash');
  if (!wallet || ownerProblem !== undefined) return faults;
  if (readUuid(line.bytes, line.userAt) !== wallet.userId) faults.push('user_id');
  const currency = line.bytes.toString('utf8', line.currencyAt, line.currencyEnd);
  if (currency !== wallet.currency) faults.push('currency');
  return faults;
}

const describeMissing = (from: number, to: number): string =>
  from === to ? `entry ${from} is missing` : `entries ${from} to ${to} are missing`;

const equals = (line: LineRow, previous: { bytes: Buffer; at: number }): boolean =>
  line.previousHashAt >= 0 &&
  line.bytes.compare(
    previous.bytes,
    previous.at,
    previous.at + 32,
    line.previousHashAt,
    line.previousHashAt + 32,
  ) === 0;

const toLast = ({ seq, previous, computed, isBad, ...rest }: State): LastEntry => ({
  ...{ seq, isBad, computed },
  hash: previous ? previous.bytes.toString('latin1', previous.at, previous.at + 32) : undefined,
  balanceMinor: rest.balanceMinor,
  expectedMinor: rest.expectedMinor,
  micros: rest.micros,
});
