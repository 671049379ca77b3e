import { randomBytes } from 'node:crypto';

import { untilAborted } from '../../platform/concurrency/abort.ts';
import { withAdminClient, type AdminAccess } from '../admin-client.ts';
import { startOf } from './wal.ts';

/** A server in backup mode: it keeps the WAL that is needed, and writes whole pages to it. */
export type BackupMode = {
  /** As `server_version` says it. */
  readonly postgres: string;
  /** Distinguishes clusters; a restored one keeps it. */
  readonly systemId: string;
  readonly segmentBytes: number;
  readonly startLsn: string;
  /** The first segment of WAL that the backup needs. */
  readonly firstSegment: string;
  /** By the clock of the database. */
  readonly startedAt: Date;
  /** The segment that is being written. Those before it are complete. */
  findCurrentSegment(): Promise<string>;
  /** From now on the server may remove the segments before this one. */
  releaseBefore(segment: string): Promise<void>;
  /** Ends backup mode. The segments are kept until the work has ended. */
  stop(): Promise<BackupEnd>;
};

export type BackupEnd = {
  readonly stopLsn: string;
  readonly lastSegment: string;
  /** The content of `backup_label`, to be written as it is. */
  readonly label: string;
  /** The content of `tablespace_map`; '' without tablespaces. */
  readonly tablespaces: string;
  /** By the clock of the database: what was committed by then is in the backup. */
  readonly endedAt: Date;
};

/** A checkpoint writes what shared_buffers has, 4 GiB at most. */
const queryTimeoutMs = 600_000;

/**
 * Runs `work` with the server in backup mode. Both backup mode and the slot that keeps WAL belong
 * to the connection: whatever ends it, `kill -9` of this process too, ends them.
 */
export async function withBackupMode<T>(
  access: AdminAccess,
  signal: AbortSignal,
  work: (mode: BackupMode) => Promise<T>,
): Promise<T> {
  const slot = `walletd_backup_${process.pid}_${randomBytes(4).toString('hex')}`;
  return await withAdminClient(
    access,
    'postgres',
    async (client) => {
      // Between two queries the server says only here why it ended the connection.
      let lost: Error | undefined;
      client.on('error', (err) => (lost ??= err));
      const ask = async <Row extends Record<string, unknown>>(
        text: string,
        values: unknown[] = [],
      ): Promise<Row> => {
        const asking = client.query<Row>(text, values).catch((err: unknown) => {
          throw lost ?? err;
        });
        const { rows } = await untilAborted(signal, asking);
        const [row] = rows;
        if (row === undefined) throw new Error('Postgres answered nothing');
        return row;
      };
      const facts = await ask<Facts>(factsQuery);
      const segmentBytes = Number(facts.segment_bytes);
      await ask('SELECT pg_create_physical_replication_slot($1, true, true)', [slot]);
      const { lsn, segment } = await ask<{ lsn: string; segment: string }>(startQuery, [
        `walletd backup ${facts.now.toISOString()}`,
      ]);
      return await work({
        ...{ postgres: facts.version, systemId: facts.system_id, segmentBytes },
        ...{ startLsn: lsn, firstSegment: segment, startedAt: facts.now },
        findCurrentSegment: async () => (await ask<{ segment: string }>(currentQuery)).segment,
        releaseBefore: async (name) => {
          await ask(advanceQuery, [slot, startOf(name, segmentBytes)]);
        },
        stop: async () => {
          const { now } = await ask<{ now: Date }>('SELECT clock_timestamp() AS now');
          const end = await ask<End>(stopQuery);
          return {
            ...{ stopLsn: end.lsn, lastSegment: end.segment },
            ...{ label: end.labelfile, tablespaces: end.spcmapfile, endedAt: now },
          };
        },
      });
    },
    queryTimeoutMs,
  );
}

type Facts = { version: string; segment_bytes: string; system_id: string; now: Date };
type End = { lsn: string; segment: string; labelfile: string; spcmapfile: string };

const factsQuery = `SELECT current_setting('server_version') AS version,
    (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size') AS segment_bytes,
    (SELECT system_identifier::text FROM pg_control_system()) AS system_id,
    clock_timestamp() AS now`;

const startQuery = `SELECT lsn::text AS lsn, pg_walfile_name(lsn) AS segment
  FROM pg_backup_start($1, true) AS lsn`;

const currentQuery = 'SELECT pg_walfile_name(pg_current_wal_lsn()) AS segment';

const advanceQuery = 'SELECT pg_replication_slot_advance($1, $2::pg_lsn)';

/**
 * The server writes the end of the backup to WAL, and completes that segment: the one with the byte
 * before the position. At the end of a segment the position itself is in the next.
 */
const stopQuery = `SELECT lsn::text AS lsn, pg_walfile_name(lsn - 1) AS segment,
    labelfile, spcmapfile
  FROM pg_backup_stop(false)`;
