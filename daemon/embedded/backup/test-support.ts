import { mkdtempSync, chmodSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { createLog } from '../../platform/log.ts';
import type { Outcome } from '../../fault.ts';
import { startEmbedded, type Embedded } from '../index.ts';
import { ensureSystemUser } from '../system-user.ts';
import { isRoot, killServer } from '../test-support.ts';
import { backupCluster, type Backup, type BackupOptions } from './backup.ts';
import type { CheckedBackup } from './check.ts';
import { restoreCluster, type RestoreOptions } from './restore.ts';

const log = createLog('silent');

/** A folder for data folders and backups. */
export type Stage = {
  readonly folder: string;
  place(name: string): string;
  /** Starts a server on a data folder, and creates it if it is not there. */
  start(dataDir: string): Promise<Embedded>;
  dispose(): Promise<void>;
};

export function openStage(): Stage {
  const folder = mkdtempSync(path.join(tmpdir(), 'dw-backup-'));
  // The user of Postgres passes through it.
  chmodSync(folder, 0o711);
  const started = new Map<string, Embedded>();
  return {
    folder,
    place: (name) => path.join(folder, name),
    start: async (dataDir) => {
      const embedded = need(await startEmbedded({ dataDir, log }));
      started.set(dataDir, embedded);
      return embedded;
    },
    dispose: async () => {
      for (const [dataDir, embedded] of started) {
        await embedded.stop();
        await killServer(dataDir);
      }
      await rm(folder, { recursive: true, force: true, maxRetries: 10 });
    },
  };
}

export const backUp = (
  dataDir: string,
  out: string,
  more: Partial<BackupOptions> = {},
): Promise<Outcome<Backup>> =>
  backupCluster({
    ...{ dataDir, out, walletd: '1.2.3' },
    ...{ signal: new AbortController().signal, onProgress: () => undefined, ...more },
  });

export async function restore(
  from: string,
  dataDir: string,
  more: Partial<RestoreOptions> = {},
): Promise<Outcome<CheckedBackup>> {
  const runAs = isRoot ? need(await ensureSystemUser()) : null;
  return await restoreCluster({
    ...{ from, dataDir, runAs, isDryRun: false, signal: new AbortController().signal },
    ...{ onCheck: () => undefined, onCopy: () => undefined, ...more },
  });
}

export function need<T>(outcome: Outcome<T>): T {
  if (outcome.ok) return outcome.value;
  throw new Error(`${outcome.fault.fault} ${outcome.fault.hint}`);
}

/** The fault of what must fail, with its hint. */
export function faultOf(outcome: Outcome<unknown>): string {
  if (outcome.ok) throw new Error('it did not fail');
  return `${outcome.fault.fault}\n${outcome.fault.hint}`;
}
