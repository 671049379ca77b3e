import type { Command } from 'commander';

import type { Config } from '../config/config.ts';
import { findPlaceFault } from '../databases/places.ts';
import type { Fault, Outcome } from '../fault.ts';
import { chooseAccount, findSecretReader } from '../host/account.ts';
import { findUrlFault } from '../platform/db/connection/connect.ts';
import {
  findKeyFileFault,
  findSigningFault,
  readServiceCredential,
  readSmtpCa,
} from '../config/secrets.ts';
import { findTlsFault } from '../config/tls-files.ts';
import { addExamples, addGroup, usageExitCode, type CommandLine } from './command-line.ts';
import type { HostRun } from './host-run.ts';
import { printFault, printLine } from './print.ts';

/** Adds `walletd config check`. */
export function addConfigCommands(program: Command, { withConfig }: CommandLine): void {
  const group = addGroup(program, 'config', 'look at the configuration', ['walletd config check']);
  const command = group
    .command('check')
    .description('list every fault of the configuration, and start and create nothing')
    .action(withConfig(runConfigCheck));
  addExamples(command, [
    'walletd config check',
    'WALLETD_LISTEN=0.0.0.0:50051 walletd config check',
  ]);
}

async function runConfigCheck({ config }: HostRun): Promise<number> {
  const faults = await checkConfig(config);
  faults.forEach(printFault);
  if (faults.length > 0) return usageExitCode;
  printLine('walletd: the configuration is in order');
  return 0;
}

/**
 * What is wrong with the files and users that a configuration names; starts and changes nothing.
 */
async function checkConfig(config: Config): Promise<Fault[]> {
  const reader = await findSecretReader(config);
  const found = [
    config.user === undefined ? undefined : faultOf(await chooseAccount(config)),
    await findTlsFault(config.tlsFiles, { reader }),
    await findKeyFileFault(config, reader),
    await findSigningFault(config),
    faultOf(await readServiceCredential(config)),
    faultOf(await readSmtpCa(config)),
    await findPlaceFault(config),
    ...listUrls(config).map(findUrlFault),
  ];
  const byText = new Map(found.flatMap((fault) => (fault ? [[fault.fault, fault]] : [])));
  return [...byText.values()];
}

const faultOf = (outcome: Outcome<unknown>): Fault | undefined =>
  outcome.ok ? undefined : outcome.fault;

const listUrls = ({ databases }: Config): string[] =>
  Object.values(databases ?? {}).flatMap(({ url, ownerUrl }) => [url, ownerUrl]);
