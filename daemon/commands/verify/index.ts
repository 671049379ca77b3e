import type { Command } from 'commander';

import type { LedgerFinding } from '../../../core/ledger-check/index.ts';
import { addExamples, type CommandLine } from '../command-line.ts';
import type { HostRun } from '../host-run.ts';
import { printFault, printLine, writeStdout } from '../print.ts';
import { verifyOnHost, type VerifyTotals } from './run.ts';

const progressEveryMs = 2_000;

type Options = { wallet?: string; json?: boolean; ledgerOnly?: boolean };

/** Adds `walletd verify`. */
export function addVerify(program: Command, { withConfig }: CommandLine): void {
  const command = program
    .command('verify')
    .description('check the whole ledger, and the statement lines against it, while it is in use')
    .option('--wallet <id>', 'of this wallet only')
    .option('--ledger-only', 'leave the statement lines out')
    .option('--json', 'one JSON object a line for each finding')
    .action(withConfig(runVerify, { databases: ['wallet', 'statement'] }));
  addExamples(command, [
    'walletd verify',
    'walletd verify --json > findings.jsonl',
    'walletd verify --wallet adbcf8b0-01c7-561f-af3e-e0db58fa9b1b',
  ]);
}

async function runVerify(run: HostRun, options: Options): Promise<number> {
  let reportedAt = performance.now();
  const format = options.json === true ? toJson : toText;
  const done = await verifyOnHost(
    run,
    { walletId: options.wallet, isLedgerOnly: options.ledgerOnly === true },
    {
      onFinding: (finding) => writeStdout(`${format(finding)}\n`),
      onProgress: (totals) => {
        if (performance.now() - reportedAt < progressEveryMs) return;
        reportedAt = performance.now();
        printLine(`walletd: ${describe(totals)} so far`);
      },
    },
  );
  if (!done.ok) return printFault(done.fault);
  const { findings, unsent, deadLetters, hasLines } = done.value;
  printLine(`walletd: ${describe(done.value)}`);
  if (!hasLines) printLine('walletd: the statement lines were not checked');
  if (unsent > 0) printLine(`walletd: ${unsent} entries have no line yet: the outbox has their events`);
  if (deadLetters > 0) {
    printLine(`walletd: ${deadLetters} dead letters wait: \`wallet dead-letters list\` shows them`);
  }
  if (findings === 0) return 0;
  printLine('hint: docs/verification.md says what each kind of finding means and what to do');
  return 1;
}

const describe = ({ transactions, wallets, findings }: VerifyTotals): string =>
  `${transactions} transactions of ${wallets} wallets checked, ${findings} findings`;

const toText = ({ walletId, seq, kind, detail }: LedgerFinding): string =>
  `${walletId} ${seq} ${kind}: ${detail}`;

const toJson = ({ walletId, seq, kind, detail }: LedgerFinding): string =>
  JSON.stringify({ wallet: walletId, seq: Number(seq), kind, detail });
