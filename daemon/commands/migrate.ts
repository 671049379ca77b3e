import type { Command } from 'commander';

import { openDatabases, prepareSchemas } from '../databases/databases.ts';
import type { Fault } from '../fault.ts';
import { createLog } from '../platform/log.ts';
import { addExamples, type CommandLine } from './command-line.ts';
import type { HostRun } from './host-run.ts';
import { printFault, printLine } from './print.ts';

/** Adds `walletd migrate`. */
export function addMigrate(program: Command, { withConfig }: CommandLine): void {
  const command = program
    .command('migrate')
    .description(
      'create the embedded database if there is none, bring the database schemas up to date, and end',
    )
    .action(withConfig(runMigrate, { scope: 'databases' }));
  addExamples(command, ['walletd migrate', 'WALLETD_DATA_DIR=/srv/wallet walletd migrate']);
}

async function runMigrate({ config, signal }: HostRun): Promise<number> {
  const fault = await migrateAll({ config, log: createLog(config.logLevel), signal });
  if (fault) return printFault(fault);
  printLine('walletd: the schemas are up to date');
  return 0;
}

/** Brings the schemas of the hosted services up to date, and ends. */
async function migrateAll({ config, log, signal }: HostRun): Promise<Fault | undefined> {
  const opened = await openDatabases(config, log, 'migrate', signal);
  if (!opened.ok) return opened.fault;
  try {
    return await prepareSchemas(opened.value, config.services, true, log, signal);
  } finally {
    await opened.value.stop();
  }
}
