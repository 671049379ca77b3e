import { Command, Option } from 'commander';

import { addGroupExamples } from '../lib/help/notes.ts';
import { addAccountCommands } from './commands/account/index.ts';
import { addApiKeysCommands } from './commands/api-keys/index.ts';
import { addAuditCommands } from './commands/audit/index.ts';
import { addBatchCommands } from './commands/batch/index.ts';
import { addCompletionCommand } from './commands/completion/index.ts';
import { addConfigCommands } from './commands/config/index.ts';
import { addDeadLettersCommands } from './commands/dead-letters/index.ts';
import { addDoctorCommand } from './commands/doctor/index.ts';
import { addGroupCommands } from './commands/group/index.ts';
import { addHelpCommand, helpTopicNames } from './commands/help/index.ts';
import { addExportsCommands } from './commands/exports/index.ts';
import { addHoldsCommands } from './commands/holds/index.ts';
import { addLimitsCommands } from './commands/limits/index.ts';
import { addMoneyCommands } from './commands/money/index.ts';
import { addOpenCommands } from './commands/open/index.ts';
import { addProfilesCommands } from './commands/profiles/index.ts';
import { addSessionsCommands } from './commands/sessions/index.ts';
import { addStatementsCommands } from './commands/statements/index.ts';
import { addTotpCommands } from './commands/totp/index.ts';
import { addTransactionsCommands } from './commands/transactions/index.ts';
import { addUsersCommands } from './commands/users/index.ts';
import { addVersionCommand } from './commands/version/index.ts';
import { addWalletsCommands } from './commands/wallets/index.ts';
import { collect } from './commands/shared/options.ts';
import type { Start } from './commands/shared/start.ts';
import { outputFormats } from './config/settings.ts';

/** All commands with their options and help, in the order in which the help lists them. */
export function buildProgram(version: string, start: Start): Command {
  const program = new Command('wallet');
  program
    .description('Digital wallet: move money, read balances and statements, manage accounts.')
    .version(`wallet ${version}`, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [COMMAND]', 'show help for a command')
    .configureHelp({ showGlobalOptions: true, sortSubcommands: false })
    .option('--server <HOST:PORT>', 'server to talk to (default 127.0.0.1:50051)')
    .option('--profile <NAME>', 'profile to use (default: the current one)')
    .option(
      '-o, --output <FORMAT>',
      `${outputFormats.join(', ')} (default table); statement show: hledger too`,
    )
    .option('--json', 'short for --output json')
    .option('--field <NAMES>', 'print only these fields of the JSON, a line for each row', collect)
    .option('--no-input', 'never prompt')
    .option('-y, --yes', 'answer yes to every confirmation')
    .option('--quiet', 'print no warnings and hints')
    .option('--verbose', 'print each call, its duration and request id')
    .option('--no-color', 'print without colours')
    .option('--timeout <TIME>', 'limit for one request with its retries, like 30s or 500ms')
    .option('--tls', "use TLS with the system's certificate authorities")
    .option('--tls-ca <FILE>', 'use TLS with the authorities in a PEM file')
    .option('--tls-cert <FILE>', 'use TLS with this client certificate (PEM)')
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
  wallet balance --field balance
  wallet deposit 100.00 --currency BRL --description "first"
  wallet statement show --from 2026-11-01 --to 2026-11-15 -o csv > november.csv

Help topics: ${helpTopicNames.map((name) => `wallet help ${name}`).join(', ')}`,
    );
  addAccountCommands(program, start);
  addTotpCommands(program, start);
  addMoneyCommands(program, start);
  addTransactionsCommands(program, start);
  addStatementsCommands(program, start);
  addExportsCommands(program, start);
  addWalletsCommands(program, start);
  addHoldsCommands(program, start);
  addLimitsCommands(program, start);
  addBatchCommands(program, start);
  addGroupCommands(program, start);
  addUsersCommands(program, start);
  addSessionsCommands(program, start);
  addApiKeysCommands(program, start);
  addAuditCommands(program, start);
  addDeadLettersCommands(program, start);
  addConfigCommands(program, start);
  addProfilesCommands(program, start);
  addDoctorCommand(program, start);
  addOpenCommands(program, start);
  addVersionCommand(program, start);
  addCompletionCommand(program);
  addHelpCommand(program);
  addGroupExamples(program);
  return program;
}
