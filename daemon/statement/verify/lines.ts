import type { PageSize, Pages } from '../../platform/db/copy-pages.ts';
import { withSnapshots, type Db } from '../../platform/db/db.ts';
import type { LinePlace } from '../rebuild/store.ts';
import { findAbsent, openLines, readPendingLetters } from './store.ts';

/** Opens the lines of the wallets from one id to another. */
export type OpenLines = (
  span: { readonly first: string; readonly last: string },
  size: PageSize,
) => Pages;

/** Does work on one snapshot of all lines, which several can read at a time: one each. */
export const withLines = <T>(
  db: Db,
  readers: number,
  work: (open: readonly OpenLines[]) => Promise<T>,
): Promise<T> =>
  withSnapshots(db, readers, (txs) =>
    work(txs.map((tx): OpenLines => (span, size) => openLines(tx, span, size))),
  );

const placesPerRead = 5_000;
const lettersPerRead = 100;
const firstId = '00000000-0000-0000-0000-000000000000';

/** Those of the places that have no line by now. */
export async function findWithoutLine<P extends LinePlace>(
  db: Db,
  places: readonly P[],
): Promise<P[]> {
  const absent: P[] = [];
  for (let at = 0; at < places.length; at += placesPerRead) {
    const some = places.slice(at, at + placesPerRead);
    absent.push(...(await db.read((tx) => findAbsent(tx, some))));
  }
  return absent;
}

/**
 * How many events are pending dead letters, and which transactions they are of. `isWanted` keeps
 * what is asked for, so that their number does not matter.
 */
export async function findDeadLettered(
  db: Db,
  isWanted: (place: LinePlace) => boolean,
): Promise<{ readonly count: number; readonly places: readonly LinePlace[] }> {
  const places: LinePlace[] = [];
  let count = 0;
  for (let afterId = firstId; ;) {
    const after = afterId;
    const letters = await db.read((tx) => readPendingLetters(tx, after, lettersPerRead));
    count += letters.length;
    for (const { body } of letters) {
      const place = placeOf(body);
      if (place && isWanted(place)) places.push(place);
    }
    const last = letters.at(-1);
    if (!last || letters.length < lettersPerRead) return { count, places };
    afterId = last.id;
  }
}

type Event = {
  readonly data?: { readonly walletId?: unknown; readonly transaction?: { readonly seq?: unknown } };
};

/** What a dead letter is about; undefined where it is no event of a transaction. */
function placeOf(body: string): LinePlace | undefined {
  let event: Event | null;
  try {
    event = JSON.parse(body) as Event | null;
  } catch {
    return undefined;
  }
  const walletId = event?.data?.walletId;
  const seq = event?.data?.transaction?.seq;
  if (typeof walletId !== 'string' || !Number.isSafeInteger(seq)) return undefined;
  return { walletId, seq: BigInt(seq as number) };
}

/** Events that wait among the dead letters. */
export const countPendingLetters = async (db: Db): Promise<number> =>
  (await findDeadLettered(db, () => false)).count;
