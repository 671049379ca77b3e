import {
  canonicalMetadata,
  genesisHash,
  toChainedMore,
  type ChainedMore,
} from '../../../core/chain.ts';
import { operationOfWireNumber } from '../../../core/operations.ts';
import { movedMinorOf } from '../../../lib/json/amounts.ts';
import type { Transaction } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Db } from '../../platform/db/db.ts';
import type { Line } from '../domain.ts';
import { readTagsBetween } from '../search/store.ts';
import { listTags } from '../search/tags.ts';
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
  options: {
    readonly db: Db;
    readonly readLedger: ReadLedger;
    readonly searchKeys: readonly string[];
  },
  walletId: string | undefined,
): AsyncGenerator<Compared, void> {
  const { db, readLedger, searchKeys } = options;
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
        if (!hasTags(projected.tagsOf(line), expected, searchKeys)) fields.push(tagsField);
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
  let tags: ReadonlyMap<string, readonly string[]> = new Map();
  let index = 0;
  let isOver = false;
  return {
    peek: async (): Promise<Line | undefined> => {
      if (index >= page.length && !isOver) {
        const place = after;
        await db.snapshot(async (tx) => {
          page = await readLinesAfter(tx, place, walletId !== undefined, linesPerPage);
          const last = page.at(-1);
          if (!last) return;
          after = placeOf(last);
          tags = await readTagsBetween(tx, place, after);
        });
        index = 0;
        isOver = page.length < linesPerPage;
      }
      return page[index];
    },
    skip: (): void => {
      index += 1;
    },
    /** Of a line of the page that was read last. */
    tagsOf: ({ walletId: id, seq }: LinePlace): readonly string[] => tags.get(`${id} ${seq}`) ?? [],
  };
}

/** What differs where a line is not found by its metadata, or by others. */
export const tagsField = 'tags';

/** Whether a line has the tags that it should have, and no others. */
function hasTags(tags: readonly string[], expected: Line, searchKeys: readonly string[]): boolean {
  const wanted = listTags([expected], searchKeys);
  return wanted.length === tags.length && wanted.every(({ tag }) => tags.includes(tag));
}

const genesisOf = ({ walletId, userId, currency }: Transaction): string =>
  genesisHash(walletId, userId, currency);

/** The line that a transaction of the ledger stands for, after the one with `previousHash`. */
export function toExpected(transaction: Transaction, previousHash = ''): Line {
  const operation = operationOfWireNumber(transaction.operation);
  if (!operation) throw new Error(`transaction ${transaction.id} has no known operation`);
  return {
    walletId: transaction.walletId,
    seq: transaction.seq,
    transactionId: transaction.id,
    userId: transaction.userId,
    currency: transaction.currency,
    operation,
    amountMinor: movedMinorOf(transaction),
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
    more: readMore(transaction),
  };
}

/** What is absent on the wire is 0. */
const readMore = (transaction: Transaction): ChainedMore | undefined =>
  toChainedMore({
    held: transaction.heldMinor,
    heldAfter: transaction.heldAfterMinor,
    parentUsed: transaction.parentUsedMinor,
    groupId: transaction.groupId,
  });

const placeOf = ({ walletId, seq }: LinePlace): LinePlace => ({ walletId, seq });

/** Postgres orders UUIDs by their bytes, which is the order of their lower-case text. */
function isBefore(a: LinePlace, b: LinePlace): boolean {
  return a.walletId === b.walletId ? a.seq < b.seq : a.walletId < b.walletId;
}

/** The fields in which a line differs from what the ledger says. */
export function findAltered(line: Line, expected: Line): string[] {
  return (Object.keys(expected) as (keyof Line)[]).filter((name) => {
    if (name === 'metadata') {
      return canonicalMetadata(line.metadata) !== canonicalMetadata(expected.metadata);
    }
    return name === 'more' ? !isSameMore(line, expected) : line[name] !== expected[name];
  });
}

function isSameMore({ more: a }: Line, { more: b }: Line): boolean {
  if (!a || !b) return a === b;
  const { heldMinor, heldAfterMinor, parentUsedMinor, groupId } = a;
  const isSameHeld = heldMinor === b.heldMinor && heldAfterMinor === b.heldAfterMinor;
  return isSameHeld && parentUsedMinor === b.parentUsedMinor && groupId === b.groupId;
}
