import type { Command } from 'commander';

import type { LedgerFinding } from '../../../core/ledger-check/index.ts';
import { addExamples, usageExitCode, type CommandLine } from '../command-line.ts';
import type { HostRun } from '../host-run.ts';
import { printFault, printLine, writeStdout } from '../print.ts';
import { verifyOnHost, type VerifyTotals } from './run.ts';

const progressEveryMs = 2_000;

type Options = {
  wallet?: string;
  json?: boolean;
  ledgerOnly?: boolean;
  against?: string;
  key?: string;
};

/** Adds `walletd verify`. */
export function addVerify(program: Command, { withConfig }: CommandLine): void {
  const command = program
    .command('verify')
    .description('check the whole ledger, and the statement lines against it, while it is in use')
    .option('--wallet <id>', 'of this wallet only')
    .option('--ledger-only', 'leave the statement lines out')
    .option('--against <file>', 'compare with an exported checkpoint, too')
    .option('--key <file>', 'the public key that signed it; default: as the database has it')
    .option('--json', 'one JSON object a line for each finding')
    .action(withConfig(runVerify, { scope: 'databases', databases: ['wallet', 'statement'] }));
  addExamples(command, [
    'walletd verify',
    'walletd verify --json > findings.jsonl',
    'walletd verify --against checkpoint-12.txt --key checkpoint-key.pub',
    'walletd verify --wallet adbcf8b0-01c7-561f-af3e-e0db58fa9b1b',
  ]);
}

async function runVerify(run: HostRun, options: Options): Promise<number> {
  let reportedAt = performance.now();
  const format = options.json === true ? toJson : toText;
  const { wallet: walletId, against: file, key: keyFile } = options;
  if (file === undefined && keyFile !== undefined) {
    printLine('walletd: --key is the key of a checkpoint: give it with --against');
    return usageExitCode;
  }
  const against = file === undefined ? undefined : { file, keyFile, walletId };
  const done = await verifyOnHost(
    run,
    { walletId, isLedgerOnly: options.ledgerOnly === true, against },
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
  const { findings, unsent, deadLetters, hasLines, against: compared } = done.value;
  printLine(`walletd: ${describe(done.value)}`);
  if (!hasLines) printLine('walletd: the statement lines were not checked');
  if (unsent > 0)
    printLine(`walletd: ${unsent} entries have no line yet: the outbox has their events`);
  if (deadLetters > 0) {
    printLine(`walletd: ${deadLetters} dead letters wait: \`wallet dead-letters list\` shows them`);
  }
  if (compared) printCompared(compared, keyFile);
  if (findings === 0) return 0;
  printLine('hint: docs/verification.md says what each kind of finding means and what to do');
  return 1;
}

function printCompared(
  { checkpoint: { number, timeMs, size }, wallets }: NonNullable<VerifyTotals['against']>,
  keyFile: string | undefined,
): void {
  const at = new Date(timeMs).toISOString();
  printLine(`walletd: ${wallets} wallets compared with checkpoint ${number} of ${at}`);
  if (wallets === 0 && size > 0n) {
    printLine(`walletd: checkpoint ${number} does not have this wallet: it shows nothing of it`);
  }
  if (keyFile !== undefined) return;
  printLine(
    'walletd: the key is the one in the database, which who changes the ledger can change, too: ' +
      'name yours with --key',
  );
}

const describe = ({ transactions, wallets, findings }: VerifyTotals): string =>
  `${transactions} transactions of ${wallets} wallets checked, ${findings} findings`;

const toText = ({ walletId, seq, kind, detail }: LedgerFinding): string =>
  `${walletId} ${seq} ${kind}: ${detail}`;

const toJson = ({ walletId, seq, kind, detail }: LedgerFinding): string =>
  JSON.stringify({ wallet: walletId, seq: Number(seq), kind, detail });
