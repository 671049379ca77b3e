import type { Command } from 'commander';

import type { RebuildProgress } from '../statement/index.ts';
import { addExamples, addGroup, type CommandLine } from './command-line.ts';
import type { HostRun } from './host-run.ts';
import { printFault, printLine } from './print.ts';
import { rebuildStatements } from './statements-rebuild.ts';

const progressEveryMs = 2_000;

const examples = [
  'walletd statements rebuild',
  'walletd statements rebuild --wallet adbcf8b0-01c7-561f-af3e-e0db58fa9b1b',
];

/** Adds `walletd statements rebuild`. */
export function addStatementsCommands(program: Command, { withConfig }: CommandLine): void {
  const group = addGroup(program, 'statements', 'the statement database, on this host', examples);
  const command = group
    .command('rebuild')
    .description('make the statement lines equal to the ledger, while everything goes on')
    .option('--wallet <id>', 'of this wallet only')
    .action(withConfig(runStatementsRebuild, { databases: ['statement', 'wallet'] }));
  addExamples(command, examples);
}

async function runStatementsRebuild(run: HostRun, options: { wallet?: string }): Promise<number> {
  let reportedAt = performance.now();
  const done = await rebuildStatements(run, options.wallet, (progress) => {
    if (performance.now() - reportedAt < progressEveryMs) return;
    reportedAt = performance.now();
    printLine(`walletd: ${describeProgress(progress)} so far`);
  });
  if (!done.ok) return printFault(done.fault);
  printLine(`walletd: ${describeProgress(done.value)}`);
  return 0;
}

const describeProgress = ({ wallets, lines, repaired }: RebuildProgress): string =>
  `${lines} lines of ${wallets} wallets compared, ${repaired} repaired`;
