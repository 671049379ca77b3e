import { Command, Option } from 'commander';

import { addAccessCommands } from './program/access.ts';
import { addAccountCommands } from './program/account.ts';
import { addAuditCommands } from './program/audit.ts';
import { addBatchCommands } from './program/batch.ts';
import { addDeadLetterCommands } from './program/dead-letters.ts';
import { addMoneyCommands } from './program/money.ts';
import { addReadCommands } from './program/reads.ts';
import { addSettingsCommands } from './program/settings.ts';
import type { Start } from './program/start.ts';
import { addStatementCommands } from './program/statements.ts';
import { addTotpCommands } from './program/totp.ts';
import { addUsersCommands } from './program/users.ts';
import { addWalletsCommands } from './program/wallets.ts';
import { outputFormats } from './config/settings.ts';

/** All commands with their options and help; actions load what they run when they run. */
export function buildProgram(version: string, start: Start): Command {
  const program = new Command('wallet');
  program
    .description('Digital wallet: move money, read balances and statements, manage accounts.')
    .version(`wallet ${version}`, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [COMMAND]', 'show help for a command')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .option('--server <HOST:PORT>', 'server to talk to (default 127.0.0.1:50051)')
    .option('--profile <NAME>', 'profile to use (default: the one in use)')
    .option(
      '-o, --output <FORMAT>',
      `${outputFormats.join(', ')} (default table); statement show: hledger too`,
    )
    .option('--json', 'short for --output json')
    .option('--no-input', 'never ask anything')
    .option('-y, --yes', 'confirm beforehand whatever would be asked')
    .option('--quiet', 'no warnings and hints')
    .option('--verbose', 'say what is being done')
    .option('--no-color', 'no colours')
    .option('--timeout <TIME>', 'limit for one request with its retries, like 30s or 500ms')
    .option('--tls', "use TLS with the system's certificate authorities")
    .option('--tls-ca <FILE>', 'use TLS with the authorities in a PEM file')
    .option('--tls-cert <FILE>', "use TLS, and show the server this client's certificate (PEM)")
    .option('--tls-key <FILE>', 'the private key of --tls-cert (PEM)')
    .addOption(
      new Option('--insecure-plaintext', 'allow an unencrypted connection to another machine'),
    )
    .addHelpText(
      'after',
      `
Examples:
  wallet sign-in --email ana@example.com
  wallet balance
  wallet deposit 100.00 --currency BRL --description "first"
  wallet statement show --from 2026-11-01 --to 2026-11-15 -o csv > november.csv

Precedence of settings: flag, environment, profile, default (wallet config list --show-origin).
Exit codes: 0 done, 1 unexpected, 2 usage, 3 some rows of a batch failed, 4 sign-in needed,
5 not found, 6 refused by the ledger, 7 unavailable and certainly not done, 8 not allowed,
9 outcome unknown (run it again), 10 incomplete or queued, 130 interrupted or declined.`,
    );
  addAccountCommands(program, start);
  addTotpCommands(program, start);
  addMoneyCommands(program, start);
  addReadCommands(program, start);
  addStatementCommands(program, start);
  addWalletsCommands(program, start);
  addBatchCommands(program, start);
  addUsersCommands(program, start);
  addAccessCommands(program, start);
  addAuditCommands(program, start);
  addDeadLetterCommands(program, start);
  addSettingsCommands(program, start);
  return program;
}
