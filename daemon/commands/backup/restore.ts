import type { Command } from 'commander';

import { quoteForShell } from '../../../core/shell-word.ts';
import { openDatabases } from '../../databases/databases.ts';
import type { CheckedBackup } from '../../embedded/backup/check.ts';
import { restoreCluster } from '../../embedded/backup/restore.ts';
import type { Outcome } from '../../fault.ts';
import { chooseAccount } from '../../host/account.ts';
import { createLifecycle } from '../../platform/lifecycle.ts';
import { addExamples, type CommandLine } from '../command-line.ts';
import type { HostRun } from '../host-run.ts';
import { printFault, printLine, writeStdout } from '../print.ts';
import { createProgress, findDataDir, formatBytes, formatSeconds } from './shared.ts';

type RestoreOptions = {
  readonly from: string;
  readonly dryRun?: boolean;
  readonly json?: boolean;
};

/** Adds `walletd restore`. */
export function addRestore(program: Command, { withConfig }: CommandLine): void {
  const command = program
    .command('restore')
    .description(
      'check a backup, copy it into a data folder that is empty or does not exist yet ' +
        '(--data-dir), and bring the database there to a consistent state',
    )
    .requiredOption('--from <folder>', 'what `walletd backup` wrote (required)')
    .option('--dry-run', 'check the backup and the place, and write nothing')
    .option('--json', 'print the result as JSON on standard output')
    .action(withConfig(runRestore, { scope: 'databases' }));
  addExamples(command, [
    'walletd restore --from /backup/today --data-dir /srv/wallet',
    'walletd restore --from /backup/today --data-dir /srv/wallet --dry-run',
  ]);
}

async function runRestore(run: HostRun, options: RestoreOptions): Promise<number> {
  const begunAt = performance.now();
  const dataDir = findDataDir(run.config, 'restore');
  if (!dataDir.ok) return printFault(dataDir.fault);
  const done = await restore(run, dataDir.value, options);
  if (!done.ok) return printFault(done.fault);
  const durationMs = Math.round(performance.now() - begunAt);
  const { folder, bytes, manifest, isOpenToOthers } = done.value;
  const { files, startedAt, endedAt, postgres, walletd } = manifest;
  const isDryRun = options.dryRun === true;
  const result = { folder, dataDir: dataDir.value, isDryRun, files: files.length, bytes };
  const json = { ...result, durationMs, startedAt, endedAt, postgres, walletd };
  if (options.json === true) writeStdout(`${JSON.stringify(json)}\n`);
  if (isOpenToOthers) {
    printLine(
      `walletd: other users can read the passwords in ${folder}: run ` +
        `chmod -R go= ${quoteForShell(folder)}`,
    );
  }
  const what = `${files.length} files, ${formatBytes(bytes)}, as of ${endedAt}`;
  const took = formatSeconds(durationMs);
  if (isDryRun) {
    printLine(`walletd: the backup is complete: ${what} (${took}); nothing was written`);
    return 0;
  }
  printLine(`walletd: restored ${what}, to ${dataDir.value} in ${took}`);
  const place = `--data-dir ${quoteForShell(dataDir.value)}`;
  printLine(`walletd: next: \`walletd verify ${place}\`, then \`walletd start ${place}\``);
  return 0;
}

async function restore(
  run: HostRun,
  dataDir: string,
  { from, dryRun: isDryRun = false }: RestoreOptions,
): Promise<Outcome<CheckedBackup>> {
  const { config, log, signal } = run;
  const account = await chooseAccount(config);
  if (!account.ok) return account;
  const restored = await restoreCluster({
    ...{ from, dataDir, runAs: account.value, isDryRun, signal },
    onCheck: createProgress('checked'),
    onCopy: createProgress('copied'),
  });
  if (!restored.ok || isDryRun) return restored;
  printLine('walletd: Postgres recovers the copied database');
  const lifecycle = createLifecycle(log);
  try {
    // The start itself replays the WAL of the backup, and fails where that is not complete.
    const opened = await openDatabases(config, log, 'use', signal);
    if (!opened.ok) return opened;
    lifecycle.defer('databases', () => opened.value.stop());
    return restored;
  } catch (err) {
    if (signal.aborted) printLine(`walletd: ${dataDir} is complete: the next start recovers it`);
    throw err;
  } finally {
    await lifecycle.release(30_000);
  }
}
