import { contentDigest, genesisHash, linkHash } from '../chain.ts';
import { walletIdOf } from '../ids.ts';
import {
  faultOf,
  type ChainStart,
  type ProofEntry,
  type ProofFault,
  type ProofLeaf,
  type ProvedStatement,
} from './types.ts';

/** What the lines of a proof add up to. Money is in minor units. */
type Totals = {
  readonly count: bigint;
  /** The seq of the first and the last line; undefined without any. */
  readonly firstSeq: bigint | undefined;
  readonly lastSeq: bigint | undefined;
  /** Undefined where there are no lines, and the entry before them is not shown. */
  readonly openingMinor: bigint | undefined;
  readonly closingMinor: bigint | undefined;
  readonly totalDebitMinor: bigint;
  readonly totalCreditMinor: bigint;
  /** How many of them are holds and releases, which move no money. */
  readonly holdCount: bigint;
  /** What is reserved after them; undefined where `closingMinor` is. */
  readonly heldClosingMinor: bigint | undefined;
};

/** What the entries of a proof say of the statement. */
export type ProvedLines = Totals & {
  /** No entry of the period precedes the lines: nothing does, or the one before is shown. */
  readonly isStartProved: boolean;
  /** What follows the lines: an entry that is shown, nothing, or entries that are not shown. */
  readonly next: 'shown' | 'nothing' | 'hidden';
};

type Place = 'before' | 'line' | 'after';

/** The entry that was followed last. Of one whose hash only is given, the balance is unknown. */
type Link = ChainStart & {
  readonly balanceMinor: bigint | undefined;
  readonly heldMinor: bigint | undefined;
  readonly timeMs: number;
};

/**
 * Follows a wallet's chain over the parts of a proof, in their order: each entry's content must
 * give its hash, with the seq, balance and time that follow from the entry before it.
 */
export function startChainCheck(statement: ProvedStatement, start: ChainStart) {
  const isFromGenesis = start.seq === 0n;
  const knownMinor = isFromGenesis ? 0n : undefined;
  let last: Link = {
    ...{ ...start, balanceMinor: knownMinor, heldMinor: knownMinor },
    timeMs: -Infinity,
  };
  const totals = startTotals(knownMinor);
  let [hasBefore, hasAfter, hasDigests] = [false, false, false];
  return {
    /** What is wrong with the statement, or with where the chain starts. */
    begin: (): ProofFault | undefined => findStartFault(statement, start),
    entry: (place: Place, entry: ProofEntry): ProofFault | undefined => {
      const fault = findEntryFault(statement, last, place, entry);
      if (fault) return fault;
      const { seq, hash, balanceAfterMinor: balanceMinor, occurredAtMs: timeMs } = entry;
      const heldMinor = entry.more?.heldAfterMinor ?? 0n;
      last = { seq, hash, balanceMinor, heldMinor, timeMs };
      if (place === 'line') totals.add(entry);
      if (place === 'before') totals.open(balanceMinor, heldMinor);
      hasBefore ||= place === 'before';
      hasAfter ||= place === 'after';
      return undefined;
    },
    digest: (digest: string): void => {
      last = { ...last, hash: linkHash(last.hash, digest), seq: last.seq + 1n };
      hasDigests = true;
    },
    /** Whether the chain ends in the leaf. */
    end: ({ seq, hash }: ProofLeaf): ProofFault | undefined => {
      const fail = (field: string, message: string) =>
        faultOf('the leaf of the proof', field, message);
      if (seq !== last.seq) return fail('seq', `is ${seq}; the proof leads to entry ${last.seq}`);
      if (hash === last.hash) return undefined;
      return fail('hash', 'is not the one that the entries and digests of the proof lead to');
    },
    result: (): ProvedLines => ({
      ...totals.result(),
      isStartProved: isFromGenesis || hasBefore,
      next: hasAfter ? 'shown' : hasDigests ? 'hidden' : 'nothing',
    }),
  };
}

function findStartFault(
  { walletId, userId, currency, fromMs, toMs }: ProvedStatement,
  { seq, hash }: ChainStart,
): ProofFault | undefined {
  const fail = (field: string, message: string) => faultOf('the proof', field, message);
  if (walletId !== walletIdOf(userId, currency)) {
    return fail('walletId', 'is not the wallet of this user in this currency');
  }
  if (fromMs > toMs) return fail('from', 'is after to');
  if (seq === 0n && hash !== genesisHash(walletId, userId, currency)) {
    return fail('previous', 'is not the hash that the chain of this wallet starts from');
  }
  return undefined;
}

function findEntryFault(
  { fromMs, toMs }: ProvedStatement,
  last: Link,
  place: Place,
  entry: ProofEntry,
): ProofFault | undefined {
  const fail = (field: string, message: string) =>
    faultOf(`entry ${entry.seq} of the proof`, field, message);
  const { occurredAtMs: timeMs, amountMinor, balanceAfterMinor } = entry;
  if (entry.seq !== last.seq + 1n) return fail('seq', `does not follow entry ${last.seq}`);
  if (linkHash(last.hash, contentDigest(entry)) !== entry.hash) {
    return fail('hash', `is not that of its fields after entry ${last.seq}: one was changed`);
  }
  const { balanceMinor = balanceAfterMinor - amountMinor } = last;
  if (balanceAfterMinor !== balanceMinor + amountMinor) {
    return fail('balanceAfterMinor', 'is not the balance before it and the amount');
  }
  const { heldMinor: reservedMinor = 0n, heldAfterMinor = 0n } = entry.more ?? {};
  const { heldMinor = heldAfterMinor - reservedMinor } = last;
  if (heldAfterMinor !== heldMinor + reservedMinor) {
    return fail('heldAfterMinor', 'is not what was reserved before it and by it');
  }
  if (timeMs < last.timeMs) return fail('occurredAtMs', 'is before that of the entry before it');
  switch (place) {
    case 'before':
      return timeMs < fromMs ? undefined : fail('occurredAtMs', `is in the period: ${leftOut}`);
    case 'line':
      if (timeMs >= fromMs && timeMs < toMs) return undefined;
      return fail('occurredAtMs', 'is not in the period');
    case 'after':
      return timeMs >= toMs ? undefined : fail('occurredAtMs', `is in the period: ${leftOut}`);
  }
}

const leftOut = 'a line was left out';

/** Adds lines up. `knownMinor` is what is before them, where that is known: 0, of an empty wallet. */
function startTotals(knownMinor: bigint | undefined) {
  let [openingMinor, closingMinor] = [knownMinor, knownMinor];
  let [count, totalDebitMinor, totalCreditMinor, holdCount] = [0n, 0n, 0n, 0n];
  let heldClosingMinor = knownMinor;
  let firstSeq: bigint | undefined;
  let lastSeq: bigint | undefined;
  return {
    open: (balanceMinor: bigint, heldMinor: bigint): void => {
      [openingMinor, closingMinor, heldClosingMinor] = [balanceMinor, balanceMinor, heldMinor];
    },
    add: ({ seq, amountMinor, balanceAfterMinor, more }: ProofEntry): void => {
      openingMinor ??= balanceAfterMinor - amountMinor;
      closingMinor = balanceAfterMinor;
      heldClosingMinor = more?.heldAfterMinor ?? 0n;
      if (amountMinor === 0n) holdCount += 1n;
      firstSeq ??= seq;
      lastSeq = seq;
      count += 1n;
      if (amountMinor < 0n) totalDebitMinor -= amountMinor;
      else totalCreditMinor += amountMinor;
    },
    result: (): Totals => {
      const sums = { openingMinor, closingMinor, totalDebitMinor, totalCreditMinor };
      return { count, firstSeq, lastSeq, ...sums, holdCount, heldClosingMinor };
    },
  };
}
