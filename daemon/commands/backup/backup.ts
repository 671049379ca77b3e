import type { Command } from 'commander';

import packageJson from '../../../package.json' with { type: 'json' };
import { openDatabases } from '../../databases/databases.ts';
import { backupCluster, type Backup } from '../../embedded/backup/backup.ts';
import type { Outcome } from '../../fault.ts';
import { createLifecycle } from '../../platform/lifecycle.ts';
import { addExamples, type CommandLine } from '../command-line.ts';
import type { HostRun } from '../host-run.ts';
import { printFault, printLine, writeStdout } from '../print.ts';
import { createProgress, findDataDir, formatBytes, formatSeconds } from './shared.ts';

type BackupOptions = { readonly out: string; readonly json?: boolean };

/** Adds `walletd backup`. */
export function addBackup(program: Command, { withConfig }: CommandLine): void {
  const command = program
    .command('backup')
    .description(
      'copy the embedded database, with its passwords and keys, into a new folder, while ' +
        'everything goes on; keep the copy as secret as the data folder',
    )
    .requiredOption('--out <folder>', 'where to: it must not exist, or be empty (required)')
    .option('--json', 'print the result as JSON on standard output')
    .action(withConfig(runBackup, { scope: 'databases' }));
  addExamples(command, [
    'walletd backup --out /backup/wallet-$(date +%F)',
    'walletd backup --out /backup/today --json',
  ]);
}

async function runBackup(run: HostRun, { out, json = false }: BackupOptions): Promise<number> {
  const begunAt = performance.now();
  const done = await backup(run, out);
  if (!done.ok) return printFault(done.fault);
  const durationMs = Math.round(performance.now() - begunAt);
  const { folder, files, bytes, manifest } = done.value;
  const { startedAt, endedAt, startLsn, stopLsn, postgres, walletd } = manifest;
  const at = { startedAt, endedAt, startLsn, stopLsn };
  const result = { folder, files, bytes, durationMs, ...at, postgres, walletd };
  if (json) writeStdout(`${JSON.stringify(result)}\n`);
  listMissing(run).forEach(printLine);
  printLine(
    `walletd: backed up ${files} files, ${formatBytes(bytes)}, to ${folder} in ` +
      `${formatSeconds(durationMs)}: everything committed by ${endedAt}`,
  );
  return 0;
}

async function backup(run: HostRun, out: string): Promise<Outcome<Backup>> {
  const { config, log, signal } = run;
  const found = findDataDir(config, 'backup');
  if (!found.ok) return found;
  const lifecycle = createLifecycle(log);
  try {
    const opened = await openDatabases(config, log, 'use', signal);
    if (!opened.ok) return opened;
    lifecycle.defer('databases', () => opened.value.stop());
    return await backupCluster({
      ...{ dataDir: opened.value.dataDir ?? found.value, out, signal },
      walletd: packageJson.version,
      onProgress: createProgress('copied'),
    });
  } finally {
    await lifecycle.release(10_000);
  }
}

/** Keys that the settings name elsewhere. */
function listMissing({ config: { signingKeyFile, checkpointKeyFile } }: HostRun): string[] {
  const files = { AUTH_SIGNING_KEY_FILE: signingKeyFile, CHECKPOINT_KEY_FILE: checkpointKeyFile };
  return Object.entries(files).flatMap(([name, file]) =>
    file === undefined
      ? []
      : [
          `walletd: ${file} (${name}) is outside the data folder and not in the backup: ` +
            'keep a copy of it too',
        ],
  );
}
