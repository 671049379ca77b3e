import type { Db, Statement, Tx } from '../../../daemon/platform/db/db.ts';

/** A database with a clock that is so far ahead of, or behind, the real one. */
export function shiftClock(db: Db, offsetMs: number): Db {
  const shift = (tx: Tx): Tx => ({
    ...tx,
    query: async <Row>(statement: Statement, values?: readonly unknown[]) => {
      const rows = await tx.query<Row>(statement, values);
      if (statement.name !== 'clock') return rows;
      return (rows as { now: number }[]).map(({ now }) => ({ now: now + offsetMs })) as Row[];
    },
  });
  return {
    ...db,
    tx: (work) => db.tx((tx, sendCommit) => work(shift(tx), sendCommit)),
    undone: (work) => db.undone((tx) => work(shift(tx))),
    read: (work) => db.read((tx) => work(shift(tx))),
    snapshot: (work) => db.snapshot((tx) => work(shift(tx))),
  };
}
