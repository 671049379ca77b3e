import { isUtf8 } from 'node:buffer';
import { deflateRawSync } from 'node:zlib';

import { parseJson, type DeadLetter } from '../broker/broker.ts';
import { findKey } from './replays.ts';
import { insertSql } from './rows.ts';
import { redact } from './redaction.ts';
import type { Db } from '../db/db.ts';
import { stripUnstorable } from '../db/storable.ts';

/** All of a message that can be handled; of a longer one, so much is kept. */
const maxBodyBytes = 256 * 1024;
/** Of what a header says: an index takes no more than some kilobytes. */
const maxNameLength = 255;

/**
 * Keeps letters as they came. One that is kept already is counted, and is pending again if it was
 * decided on: its message was sent once more.
 */
export async function storeLetters(db: Db, letters: readonly DeadLetter[]): Promise<void> {
  const counted = countEach(letters);
  const last = counted.map(({ letter }) => letter);
  const bodies = last.map((letter) => toBody(letter));
  await db.tx((tx) =>
    tx.execute(insertSql, [
      last.map((l) => l.id),
      last.map((l) => toName(l.queue)),
      last.map((l) => findKey(l.messageId, parseBody(l)) ?? null),
      last.map((l) => toName(l.reason)),
      last.map((l) => (l.field === undefined ? null : toName(l.field))),
      bodies.map(({ shown }) => shown),
      bodies.map(({ raw }) => raw),
      bodies.map(({ isCut }) => isCut),
      bodies.map(({ isAltered }) => isAltered),
      last.map((l) => (l.userId === undefined ? null : toName(l.userId))),
      counted.map(({ count }) => count),
      last.map((l) => l.deliveryId ?? null),
    ]),
  );
}

/**
 * What is shown of a body, and its bytes where they are others. They are compressed, so that
 * secrets do not stand in the database's files for a reader of the files.
 */
function toBody({ content, text }: DeadLetter) {
  const whole = content ?? Buffer.from(text);
  const kept = whole.subarray(0, maxBodyBytes);
  const isCut = kept.length < whole.length;
  const shown = stripUnstorable(redact(kept.toString('utf8')));
  const raw = kept.equals(Buffer.from(shown)) ? null : deflateRawSync(kept, { level: 1 });
  return { shown, raw, isCut, isAltered: isCut || !isUtf8(kept) };
}

/** The same message may be in one batch several times: one row cannot be written twice at once. */
function countEach(letters: readonly DeadLetter[]) {
  const deliveries = new Map<string, { letter: DeadLetter; ids: Set<string> }>();
  for (const letter of letters) {
    const known = deliveries.get(letter.id) ?? { letter, ids: new Set<string>() };
    known.letter = letter;
    known.ids.add(letter.deliveryId ?? '');
    deliveries.set(letter.id, known);
  }
  return [...deliveries.values()].map(({ letter, ids }) => ({ letter, count: ids.size }));
}

const toName = (text: string): string => stripUnstorable(text.slice(0, maxNameLength));

/** Of what is too long to be handled not even the key is looked for. */
const parseBody = ({ text }: DeadLetter): unknown =>
  text.length > maxBodyBytes ? undefined : parseJson(text);
