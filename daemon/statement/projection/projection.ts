import {
  bundleKey,
  eventsExchange,
  type Consumer,
  type Handling,
} from '../../platform/broker/broker.ts';
import { storeLetters } from '../../platform/dead-letters/dead-letters.ts';
import { readClock, sqlStateOf, type Db, type Tx } from '../../platform/db/db.ts';
import type { Timing } from '../../platform/metrics.ts';
import type { Line } from '../domain.ts';
import type { Gaps } from './gaps.ts';
import { readLine } from './messages.ts';
import { insertTags, noteKeys } from '../search/store.ts';
import { listTags } from '../search/tags.ts';
import { appendLines, insertLines } from '../store.ts';
import {
  hasOwnHash,
  listOpenLinks,
  toDivergence,
  type Divergence,
  type Link,
} from '../witness/lines.ts';
import type { Recorder } from '../witness/record.ts';
import { findOthers, lookUpLinks, type Place } from '../witness/store.ts';
import { createTails } from '../witness/tails.ts';

const done: Handling = { kind: 'done' };
const uniqueViolation = '23505';
const clockEveryMs = 5_000;
/** Repeats come in a row, after a loss: so many batches are then looked up line by line. */
const carefulBatches = 16;

/**
 * Turns `transaction_created` and `hold_changed` into statement lines: many messages, one commit.
 * What contradicts itself or the lines that are there is recorded as a divergence, and changes no
 * line. `onStored` is called with stored lines, after what contradicts them has been recorded. Lines
 * can be searched by the values of `searchKeys` in their metadata.
 */
export function createProjection(
  db: Db,
  queue: string,
  recorder: Pick<Recorder, 'record'>,
  lag?: Timing,
  gaps?: Gaps,
  onStored?: (lines: readonly Line[]) => void,
  searchKeys: readonly string[] = [],
): Consumer {
  const clock = createClock();
  const insert = createInsert(db, searchKeys);
  const tails = createTails();
  return {
    queue,
    bindings: [{ exchange: eventsExchange, routingKey: bundleKey }],
    maxBatch: 2_000,
    storeDeadLetters: (letters) => storeLetters(db, letters),
    handle: async (messages) => {
      const read = messages.map(readLine);
      const lines = read.filter((item): item is Line => !('kind' in item));
      if (lines.length > 0) {
        const isSound = (line: Line): boolean => hasOwnHash(line, tails.get(line.walletId));
        const sound = lines.filter(isSound);
        const divergences =
          sound.length === lines.length
            ? []
            : lines.filter((l) => !isSound(l)).map((l) => toDivergence('own_hash', l, l));
        if (sound.length > 0) {
          divergences.push(...(await insert(sound, clock.set)));
          const links = await checkLinks(db, listOpenLinks(sound, tails));
          divergences.push(...links.broken);
          const skips = tails.note(sound, links.later);
          gaps?.note(skips, links.alone);
        }
        if (divergences.length > 0) {
          tails.forget(divergences.map(({ walletId }) => walletId));
          await recorder.record(divergences);
        }
        onStored?.(sound);
        const oldestMs = lines.reduce((ms, line) => Math.min(ms, line.occurredAtMs), Infinity);
        lag?.observe((clock.nowMs() - oldestMs) / 1_000);
      }
      return read.map((item) => ('kind' in item ? item : done));
    },
  };
}

/**
 * Those of the links that are broken, the lines behind their ends, and the lines without the one
 * before them. To be asked after the commit that adds a line.
 */
export async function checkLinks(
  db: Db,
  links: readonly Link[],
): Promise<{
  readonly broken: Divergence[];
  readonly later: readonly Place[];
  readonly alone: readonly Place[];
}> {
  if (links.length === 0) return { broken: [], later: [], alone: [] };
  const found = await db.read((tx) => lookUpLinks(tx, links));
  const broken = found.broken.map((place) => toDivergence('broken_link', place));
  return { ...found, broken };
}

/**
 * Adds lines, each once. Nearly all are new, so they are first added as if all were; where one is
 * there already, all are added again with a look at each. Gives those that are there otherwise.
 */
function createInsert(db: Db, searchKeys: readonly string[]) {
  let careful = 0;
  let areKeysNoted = false;
  const add = async (
    lines: readonly Line[],
    before: (tx: Tx) => Promise<void>,
    insertAll: typeof insertLines,
  ): Promise<void> => {
    await db.tx(async (tx, sendCommit) => {
      await before(tx);
      if (!areKeysNoted) await noteKeys(tx, searchKeys);
      const inserted = [insertAll(tx, lines), insertTags(tx, listTags(lines, searchKeys))];
      sendCommit();
      await Promise.all(inserted);
    });
    areKeysNoted = true;
  };
  return async (
    lines: readonly Line[],
    before: (tx: Tx) => Promise<void>,
  ): Promise<Divergence[]> => {
    if (careful > 0) careful -= 1;
    else {
      try {
        await add(lines, before, appendLines);
        return [];
      } catch (err) {
        if (sqlStateOf(err) !== uniqueViolation) throw err;
        careful = carefulBatches;
      }
    }
    await add(lines, before, insertLines);
    const others = await db.read((tx) => findOthers(tx, lines));
    return others.map((place) => {
      const isIt = (l: Line): boolean => l.hash === place.hash && l.seq === place.seq;
      return toDivergence('other_hash', place, lines.find(isIt));
    });
  };
}

/** The database's clock, asked now and then: a question for each batch would be one too many. */
function createClock() {
  let setAt = -Infinity;
  let aheadMs = 0;
  return {
    set: async (tx: Tx): Promise<void> => {
      if (performance.now() - setAt < clockEveryMs) return;
      const databaseMs = await readClock(tx);
      setAt = performance.now();
      aheadMs = databaseMs - setAt;
    },
    nowMs: (): number => performance.now() + aheadMs,
  };
}
