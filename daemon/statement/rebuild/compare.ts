import { canonicalMetadata, genesisHash } from '../../../core/chain.ts';
import { operationOfWireNumber } from '../../../core/operations.ts';
import { Direction, type Transaction } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Db } from '../../platform/db/db.ts';
import type { Line } from '../domain.ts';
import { readLinesAfter, type LinePlace } from './store.ts';

/**
 * Reads the ledger in order of wallet and seq, after a place; of one wallet if `walletId` is given.
 * Rejects if the wallet service is unavailable.
 */
export type ReadLedger = (
  walletId: string | undefined,
  after: LinePlace,
) => AsyncIterable<readonly Transaction[]>;

/** How a line differs from the ledger. `expected` is what the ledger has. */
export type Difference =
  | { readonly kind: 'missing'; readonly place: LinePlace; readonly expected: Line }
  | {
      readonly kind: 'altered';
      readonly place: LinePlace;
      readonly expected: Line;
      /** Names of the fields that differ. */
      readonly fields: readonly string[];
    }
  /** The ledger did not have it when this place was read; it may have it by now. */
  | { readonly kind: 'extra'; readonly place: LinePlace };

/** What a part of the comparison came to. */
export type Compared = {
  readonly differences: readonly Difference[];
  /** Wallets and lines of the ledger, so far. */
  readonly wallets: number;
  readonly lines: number;
};

export const beforeAll: LinePlace = { walletId: '00000000-0000-0000-0000-000000000000', seq: 0n };

const linesPerPage = 1_000;

/** Walks along the ledger and the projection side by side, in order; constant memory. */
export async function* compareLines(
  db: Db,
  readLedger: ReadLedger,
  walletId: string | undefined,
): AsyncGenerator<Compared, void> {
  const projected = createCursor(db, walletId);
  let wallets = 0;
  let lines = 0;
  let last: Line | undefined;
  const start = walletId === undefined ? beforeAll : { walletId, seq: 0n };
  for await (const page of readLedger(walletId, start)) {
    const differences: Difference[] = [];
    for (const transaction of page) {
      const isFirst = transaction.walletId !== last?.walletId;
      if (isFirst) wallets += 1;
      const expected = toExpected(transaction, isFirst ? genesisOf(transaction) : last?.hash);
      last = expected;
      lines += 1;
      const place = placeOf(expected);
      let line = await projected.peek();
      while (line && isBefore(line, place)) {
        differences.push({ kind: 'extra', place: placeOf(line) });
        projected.skip();
        line = await projected.peek();
        // However many extra lines there are, they do not pile up.
        if (differences.length >= linesPerPage) {
          yield { differences: differences.splice(0), wallets, lines };
        }
      }
      if (!line || isBefore(place, line)) differences.push({ kind: 'missing', place, expected });
      else {
        projected.skip();
        const fields = findAltered(line, expected);
        if (fields.length > 0) differences.push({ kind: 'altered', place, expected, fields });
      }
    }
    yield { differences, wallets, lines };
  }
  for (;;) {
    const rest: Difference[] = [];
    for (let line = await projected.peek(); line && rest.length < linesPerPage;) {
      rest.push({ kind: 'extra', place: placeOf(line) });
      projected.skip();
      line = await projected.peek();
    }
    if (rest.length === 0) return;
    yield { differences: rest, wallets, lines };
  }
}

/** The projection's lines one by one, read by pages. */
function createCursor(db: Db, walletId: string | undefined) {
  let after = walletId === undefined ? beforeAll : { walletId, seq: 0n };
  let page: readonly Line[] = [];
  let index = 0;
  let isOver = false;
  return {
    peek: async (): Promise<Line | undefined> => {
      if (index >= page.length && !isOver) {
        const place = after;
        page = await db.read((tx) =>
          readLinesAfter(tx, place, walletId !== undefined, linesPerPage),
        );
        index = 0;
        isOver = page.length < linesPerPage;
        const last = page.at(-1);
        if (last) after = placeOf(last);
      }
      return page[index];
    },
    skip: (): void => {
      index += 1;
    },
  };
}

const genesisOf = ({ walletId, userId, currency }: Transaction): string =>
  genesisHash(walletId, userId, currency);

/** The line that a transaction of the ledger stands for, after the one with `previousHash`. */
export function toExpected(transaction: Transaction, previousHash = ''): Line {
  const { amountMinor, direction } = transaction;
  const operation = operationOfWireNumber(transaction.operation);
  if (!operation) throw new Error(`transaction ${transaction.id} has no known operation`);
  return {
    walletId: transaction.walletId,
    seq: transaction.seq,
    transactionId: transaction.id,
    userId: transaction.userId,
    currency: transaction.currency,
    operation,
    amountMinor: direction === Direction.DEBIT ? -amountMinor : amountMinor,
    balanceAfterMinor: transaction.balanceAfterMinor,
    contraAccount: transaction.contraAccount,
    parentId: transaction.parentId,
    source: transaction.source ?? '',
    actor: transaction.actor,
    description: transaction.description,
    metadata: transaction.metadata,
    previousHash,
    occurredAtMs: transaction.occurredAt?.getTime() ?? 0,
    hash: Buffer.from(transaction.hash).toString('hex'),
  };
}

const placeOf = ({ walletId, seq }: LinePlace): LinePlace => ({ walletId, seq });

/** Postgres orders UUIDs by their bytes, which is the order of their lower-case text. */
function isBefore(a: LinePlace, b: LinePlace): boolean {
  return a.walletId === b.walletId ? a.seq < b.seq : a.walletId < b.walletId;
}

/** The fields in which a line differs from what the ledger says. */
export function findAltered(line: Line, expected: Line): string[] {
  return (Object.keys(expected) as (keyof Line)[]).filter((name) =>
    name === 'metadata'
      ? canonicalMetadata(line.metadata) !== canonicalMetadata(expected.metadata)
      : line[name] !== expected[name],
  );
}
