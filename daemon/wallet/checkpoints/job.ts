import type { Db } from '../../platform/db/db.ts';
import { readClock } from '../../platform/db/db.ts';
import type { Log } from '../../platform/log.ts';
import { createLoop, type Loop } from '../../platform/concurrency/loop.ts';
import { describeTrouble } from '../../platform/progress/reasons.ts';
import type { ProgressWatch } from '../../platform/progress/watch.ts';
import type { CheckpointFile } from './file.ts';
import { findLast } from './store.ts';
import { isDue, takeCheckpoint, type Signer } from './take.ts';

const pollMs = 30_000;

/**
 * Takes a checkpoint whenever the last one is `everyMs` old by the database's clock. Several
 * daemons may do so: the one that is first stores it. Where there is none yet, it is taken at once.
 */
export function createCheckpoints(options: {
  readonly db: Db;
  readonly signer: Signer;
  readonly everyMs: number;
  readonly file: CheckpointFile | undefined;
  readonly log: Log;
  readonly watch: ProgressWatch;
}): Pick<Loop, 'start' | 'stop'> {
  const { db, signer, everyMs, file, log, watch } = options;
  const progress = watch.watchWork('wallet.checkpoints');
  const stopping = new AbortController();
  const { signal } = stopping;
  const work = async (): Promise<boolean> => {
    if (await isOneDue(db, everyMs)) {
      progress.begin();
      const onBlock = progress.advance;
      const taken = await takeCheckpoint(db, signer, { everyMs, signal, onBlock });
      if (taken) {
        log.info(
          { number: Number(taken.number), wallets: Number(taken.size) },
          'checkpoint of the ledger taken',
        );
      }
    }
    // Those of other daemons too, and those that a crash or a full disk left out.
    await file?.follow(db, signal);
    progress.rest();
    return false;
  };
  const onFailure = (err: unknown): void => progress.wait(describeTrouble(err));
  const loop = createLoop({ name: 'checkpoints', work, pollMs, log, onFailure });
  return {
    start: loop.start,
    stop: () => {
      stopping.abort();
      return loop.stop();
    },
  };
}

const isOneDue = (db: Db, everyMs: number): Promise<boolean> =>
  db.read(async (tx) => isDue(await findLast(tx), await readClock(tx), everyMs));
