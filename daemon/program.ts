import { text as readText } from 'node:stream/consumers';

import { Command, CommanderError, Option } from 'commander';

import { roles } from '../core/roles.ts';
import { stripControls } from '../core/text.ts';
import packageJson from '../package.json' with { type: 'json' };
import { migrateAll } from './commands/migrate.ts';
import { printFault, say } from './commands/print.ts';
import { runDaemon } from './commands/start.ts';
import { rebuildStatements } from './commands/statements-rebuild.ts';
import { createUser, type NewUser } from './commands/users-create.ts';
import { resetPassword } from './commands/users-reset-password.ts';
import { resetTotp } from './commands/users-reset-totp.ts';
import { acceptClockAhead, type AcceptOptions } from './commands/wallets-accept-clock-ahead.ts';
import { parseConfig, readEnvironment, type Config } from './config.ts';
import { settings, type SettingName } from './settings.ts';
import type { Fault } from './fault.ts';
import { findSecretReader } from './host/account.ts';
import { createLog } from './platform/log.ts';
import { findKeyFileFault } from './secrets.ts';
import { findTlsFault } from './tls-files.ts';

const usageExitCode = 2;
const interruptedExitCode = 130;
const progressEveryMs = 2_000;

/** Reads the command line, runs what it asks for, and resolves to the exit code. */
export async function createProgram(argv: readonly string[]): Promise<number> {
  let exitCode = 0;
  const program = new Command('walletd')
    .description('The digital wallet: auth, wallet and statement services on gRPC.')
    .version(packageJson.version)
    .exitOverride();
  for (const [name, [help, fallback]] of Object.entries(settings)) {
    const text = `${help} (${name}${fallback === '' ? '' : `, default ${fallback}`})`;
    program.addOption(new Option(`--${flagOf(name)} <value>`, text));
  }
  const withConfig: WithConfig =
    (run, scope) =>
    async (...rest) => {
      const config = configure(program, scope);
      exitCode = config ? await run(config, ...rest) : usageExitCode;
    };
  const startDaemon = withConfig((config) => runDaemon(config, createLog(config.logLevel)));

  // A word that is no command comes here, as an argument of the default.
  program
    .command('start', { isDefault: true })
    .allowExcessArguments()
    .description('run the daemon until SIGTERM or Ctrl-C')
    .action(async (_options, { args: [unknown] }: Command) => {
      if (unknown === undefined) await startDaemon();
      else exitCode = refuseCommand(program, unknown);
    });
  program
    .command('migrate')
    .description('bring the database schemas up to date, and end')
    .action(withConfig(runMigrate, 'databases'));
  program
    .command('config')
    .description('look at the configuration')
    .command('check')
    .description('list every fault of the configuration, and start nothing')
    .action(
      withConfig(async (config) => {
        const fault = await findFileFault(config);
        if (fault) {
          printFault(fault);
          return usageExitCode;
        }
        say('walletd: the configuration is in order');
        return 0;
      }),
    );
  addHostCommands(program, withConfig);
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (err) {
    if (!(err instanceof CommanderError)) throw err;
    return err.exitCode === 0 ? 0 : usageExitCode;
  }
  return exitCode;
}

/** An action that has a valid configuration, or does not run. */
type WithConfig = <A extends unknown[]>(
  run: (config: Config, ...rest: A) => Promise<number>,
  scope?: 'databases',
) => (...rest: A) => Promise<void>;

/** Commands for whoever is on the host, beside a running daemon or without one. */
function addHostCommands(program: Command, withConfig: WithConfig): void {
  const users = program.command('users').description('accounts, on this host');
  users
    .command('create')
    .description('make an account; asks for the password, or reads it from standard input')
    .requiredOption('--email <email>', 'the address to sign in with (required)')
    .addOption(
      new Option('--role <role>', 'what the user may do (required)')
        .choices(roles)
        .makeOptionMandatory(),
    )
    .action(withConfig(runUsersCreate));
  users
    .command('reset-password')
    .description(
      'set a new password, asked for like that of create; ends all sign-ins and all API keys',
    )
    .requiredOption('--email <email>', 'whose password (required)')
    .option('--keep-api-keys', 'let the API keys of the account go on')
    .action(withConfig(runResetPassword));
  users
    .command('reset-totp')
    .description('remove the second factor of an account; ends all sign-ins')
    .requiredOption('--email <email>', 'whose second factor (required)')
    .action(withConfig(runResetTotp));
  program
    .command('wallets')
    .description('the wallet database, on this host')
    .command('accept-clock-ahead')
    .description(
      'let wallets that were used while the clock was ahead go on, at the time of their last ' +
        'transaction, until the clock has caught up; set the clock right first',
    )
    .option('--wallet <id>', 'this wallet')
    .option('--user-id <id>', 'the wallet of this user; with --currency')
    .option('--currency <code>', 'which wallet of the user')
    .option('--all', 'every wallet that is ahead, instead of one')
    .requiredOption('--note <text>', 'why, for the audit log (required)')
    .option('--dry-run', 'say which wallets are ahead, and change nothing')
    .action(
      withConfig((config, options: AcceptOptions) =>
        acceptClockAhead(config, options, quietLog(config)),
      ),
    );
  program
    .command('statements')
    .description('the statement database, on this host')
    .command('rebuild')
    .description('make the statement lines equal to the ledger, while everything goes on')
    .option('--wallet <id>', 'of this wallet only')
    .action(withConfig(runStatementsRebuild));
}

/** What is wrong with the files that the configuration names. */
async function findFileFault(config: Config): Promise<Fault | undefined> {
  const reader = await findSecretReader(config);
  return (
    (await findTlsFault(config.tlsFiles, { reader })) ?? (await findKeyFileFault(config, reader))
  );
}

/** `WALLETD_LISTEN` is `--listen`, `LOG_LEVEL` is `--log-level`. */
function flagOf(name: string): string {
  return name
    .replace(/^WALLETD_/, '')
    .toLowerCase()
    .replaceAll('_', '-');
}

/** The environment, with flags of the same name over it; says every fault at once. */
function configure(program: Command, scope?: 'databases'): Config | undefined {
  const flags = program.opts<Record<string, string>>();
  const raw: Partial<Record<SettingName, string>> & { XDG_DATA_HOME?: string } = {
    ...readEnvironment(),
  };
  for (const name of Object.keys(settings) as SettingName[]) {
    const key = flagOf(name).replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
    const given = flags[key];
    if (given !== undefined) raw[name] = given;
  }
  const parsed = parseConfig(raw, scope);
  if (parsed.ok) return parsed.config;
  for (const fault of parsed.faults) say(`walletd: ${fault}`);
  say('hint: `walletd --help` lists every setting');
  return undefined;
}

async function runMigrate(config: Config): Promise<number> {
  const fault = await migrateAll(config, createLog(config.logLevel));
  if (fault) return printFault(fault);
  say('walletd: the schemas are up to date');
  return 0;
}

async function runUsersCreate(
  config: Config,
  options: Pick<NewUser, 'email' | 'role'>,
): Promise<number> {
  const password = await readPassword();
  if (password === undefined) return interruptedExitCode;
  const created = await createUser(config, { ...options, password }, quietLog(config));
  if (!created.ok) return printFault(created.fault);
  const { id, email, role } = created.value;
  say(`walletd: created ${role} ${email} (${id})`);
  return 0;
}

async function runResetPassword(
  config: Config,
  { email, keepApiKeys }: { readonly email: string; readonly keepApiKeys?: boolean },
): Promise<number> {
  const password = await readPassword();
  if (password === undefined) return interruptedExitCode;
  const account = { email, password, keepApiKeys: keepApiKeys === true };
  const reset = await resetPassword(config, account, quietLog(config));
  if (!reset.ok) return printFault(reset.fault);
  const { user, endedSessions, endedApiKeys, keptApiKeys } = reset.value;
  say(
    `walletd: set the password of ${user.email} (${user.id}); sign-ins ended: ${endedSessions}, ` +
      `API keys ended: ${endedApiKeys}, API keys that go on: ${keptApiKeys}`,
  );
  if (keptApiKeys > 0) {
    say('hint: to end the API keys too, run the command again without --keep-api-keys');
  }
  if (user.isDisabled) say('hint: the account is disabled still; an admin can enable it');
  return 0;
}

async function runResetTotp(config: Config, account: { readonly email: string }): Promise<number> {
  const reset = await resetTotp(config, account, quietLog(config));
  if (!reset.ok) return printFault(reset.fault);
  const { user, endedSessions } = reset.value;
  const ended = `sign-ins ended: ${endedSessions}`;
  say(`walletd: removed the second factor of ${user.email} (${user.id}); ${ended}`);
  return 0;
}

/** A command says itself what it did. */
const quietLog = (config: Config) =>
  createLog(config.logLevel === 'info' ? 'warn' : config.logLevel);

/** Says that there is no such command. */
function refuseCommand(program: Command, name: string): number {
  const names = program.commands.map((command) => command.name());
  say(`walletd: there is no command ${JSON.stringify(stripControls(name))}`);
  say(`hint: the commands are ${names.join(', ')}; settings stand before them`);
  return usageExitCode;
}

async function runStatementsRebuild(config: Config, options: { wallet?: string }): Promise<number> {
  const tell = ({ wallets, lines, repaired }: Record<'wallets' | 'lines' | 'repaired', number>) =>
    `${lines} lines of ${wallets} wallets compared, ${repaired} put right`;
  let toldAt = performance.now();
  const done = await rebuildStatements(config, options.wallet, quietLog(config), (progress) => {
    if (performance.now() - toldAt < progressEveryMs) return;
    toldAt = performance.now();
    say(`walletd: ${tell(progress)} so far`);
  });
  if (!done.ok) return printFault(done.fault);
  say(`walletd: ${tell(done.value)}`);
  return 0;
}

/** From standard input; at a terminal it is asked for, twice. Undefined if that was broken off. */
async function readPassword(): Promise<string | undefined> {
  if (!process.stdin.isTTY) return (await readText(process.stdin)).replace(/\r?\n$/, '');
  const { default: inquirer } = await import('inquirer');
  const ask = async (message: string): Promise<string> => {
    const prompt = { type: 'password', name: 'password', message, mask: true } as const;
    return (await inquirer.prompt<{ password: string }>([prompt])).password;
  };
  try {
    for (;;) {
      const password = await ask('Password (12 characters or more):');
      if (password === (await ask('The same again:'))) return password;
      say('The two are not the same.');
    }
  } catch {
    return undefined;
  }
}
