import type { Db } from '../../platform/db/db.ts';
import { formatSigned } from './file.ts';
import * as store from './store.ts';

const leavesPerPage = 4_096;

/**
 * A checkpoint as a text file, in parts: what was signed, the signature, an empty line, and a line
 * `<wallet id> <seq> <last hash>` for each wallet, in order of id. Undefined if there is none.
 */
export async function exportCheckpoint(
  db: Db,
  number: bigint,
): Promise<AsyncIterable<string> | undefined> {
  const checkpoint = await db.read((tx) => store.findCheckpoint(tx, number));
  return checkpoint && writeParts(db, checkpoint);
}

async function* writeParts(db: Db, checkpoint: store.StoredCheckpoint): AsyncGenerator<string> {
  yield `${formatSigned(checkpoint)}\n`;
  for (let afterId = store.beforeAll; ;) {
    const place = { afterId };
    // Leaves never change, so each page may be read on a snapshot of its own.
    const leaves = await db.read((tx) =>
      store.readLeaves(tx, checkpoint.number, place, leavesPerPage),
    );
    const last = leaves.at(-1);
    if (!last) return;
    yield leaves.map(({ walletId, seq, hash }) => `${walletId} ${seq} ${hash}\n`).join('');
    afterId = last.walletId;
  }
}
