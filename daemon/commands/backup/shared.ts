import type { Config } from '../../config/config.ts';
import { dataDirOf, noHome } from '../../databases/places.ts';
import { fail, type Outcome } from '../../fault.ts';
import { printLine } from '../print.ts';

const progressEveryMs = 2_000;
const unitBytes = 1000;

/** `52.3 MB`: decimal units, as disks have them. */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let value = bytes;
  let at = 0;
  while (value >= unitBytes && at < units.length - 1) {
    value /= unitBytes;
    at += 1;
  }
  return `${at === 0 ? value : value.toFixed(1)} ${units[at] ?? ''}`;
}

export const formatSeconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** Prints how far a command is, every two seconds. */
export function createProgress(
  what: string,
): (done: { readonly bytes: number; readonly total: number }) => void {
  let reportedAt = performance.now();
  return ({ bytes, total }) => {
    if (performance.now() - reportedAt < progressEveryMs) return;
    reportedAt = performance.now();
    printLine(`walletd: ${formatBytes(bytes)} of ${formatBytes(total)} ${what}`);
  };
}

/** The data folder; fails where the settings name databases of one's own. */
export function findDataDir(config: Config, command: string): Outcome<string> {
  if (config.databases) {
    return fail(
      `the settings name databases of your own, and \`walletd ${command}\` is for the embedded one`,
      'use pg_basebackup (docs/operations.md, "Backups"), or leave the *_DATABASE_URL settings out',
    );
  }
  const dataDir = dataDirOf(config);
  if (dataDir === undefined) return { ok: false, fault: noHome(config.home.uid) };
  return { ok: true, value: dataDir };
}
