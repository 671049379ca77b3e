import { Command, CommanderError, Option } from 'commander';

import { roles } from '../core/roles.ts';
import { stripControls } from '../core/text.ts';
import packageJson from '../package.json' with { type: 'json' };
import { checkConfig } from './commands/config-check.ts';
import { explainFailure } from './commands/explain-failure.ts';
import type { HostRun } from './commands/host-run.ts';
import { migrateAll } from './commands/migrate.ts';
import { printFault, printLine, writeStdout } from './commands/print.ts';
import { readPassword } from './commands/read-password.ts';
import { runDaemon } from './commands/start.ts';
import { rebuildStatements } from './commands/statements-rebuild.ts';
import { createUser, type NewUser } from './commands/users-create.ts';
import { resetPassword } from './commands/users-reset-password.ts';
import { resetTotp } from './commands/users-reset-totp.ts';
import { acceptClockAhead, type AcceptOptions } from './commands/wallets-accept-clock-ahead.ts';
import { parseConfig, readEnvironment, type Config, type Environment } from './config/config.ts';
import { settings, type SettingName } from './config/settings.ts';
import { createLog } from './platform/log.ts';
import { exitCodeOf, type StopSignals } from './process/stop-signals.ts';

const usageExitCode = 2;
const progressEveryMs = 2_000;

/** Reads the command line, runs what it asks for, and resolves to the exit code. Never rejects. */
export async function createProgram(argv: readonly string[], stop: StopSignals): Promise<number> {
  let exitCode = 0;
  let log = createLog('warn');
  process.on('uncaughtException', (err) => {
    log.fatal({ err }, 'uncaught error: the process stops');
    stop.ask(err.message);
  });
  const program = new Command('walletd')
    .description('The digital wallet: auth, wallet and statement services on gRPC.')
    .version(packageJson.version)
    .configureOutput({ writeOut: writeStdout, writeErr: (text) => printLine(text.trimEnd()) })
    .exitOverride();
  for (const [name, [help, fallback]] of Object.entries(settings)) {
    const text = `${help} (${name}${fallback === '' ? '' : `, default ${fallback}`})`;
    program.addOption(new Option(`--${flagOf(name)} <value>`, text));
  }
  const withConfig: WithConfig =
    (run, scope) =>
    async (...rest) => {
      const config = configure(program, scope);
      if (!config) {
        exitCode = usageExitCode;
        return;
      }
      log = createLog(config.logLevel);
      exitCode = await run({ config, log: quietLog(config), signal: stop.signal }, ...rest);
    };
  const startDaemon = withConfig(({ config }) => runDaemon(config, log, stop));

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
      withConfig(async ({ config }) => {
        const faults = await checkConfig(config);
        faults.forEach(printFault);
        if (faults.length > 0) return usageExitCode;
        printLine('walletd: the configuration is in order');
        return 0;
      }),
    );
  addHostCommands(program, withConfig, stop);
  try {
    await program.parseAsync(argv, { from: 'user' });
  } catch (err) {
    if (!(err instanceof CommanderError)) return explainFailure(err, stop, log);
    return err.exitCode === 0 ? 0 : usageExitCode;
  }
  return exitCode;
}

/** An action that has a valid configuration, or does not run. */
type WithConfig = <A extends unknown[]>(
  run: (host: HostRun, ...rest: A) => Promise<number>,
  scope?: 'databases',
) => (...rest: A) => Promise<void>;

/** Commands for users of the host, beside a running daemon or without one. */
function addHostCommands(program: Command, withConfig: WithConfig, stop: StopSignals): void {
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
    .action(withConfig((run, options: CreateOptions) => runUsersCreate(run, options, stop)));
  users
    .command('reset-password')
    .description(
      'set a new password, asked for like that of create; ends all sign-ins and all API keys',
    )
    .requiredOption('--email <email>', 'whose password (required)')
    .option('--keep-api-keys', 'let the API keys of the account go on')
    .action(withConfig((run, options: ResetOptions) => runResetPassword(run, options, stop)));
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
    .action(withConfig((run, options: AcceptOptions) => acceptClockAhead(run, options)));
  program
    .command('statements')
    .description('the statement database, on this host')
    .command('rebuild')
    .description('make the statement lines equal to the ledger, while everything goes on')
    .option('--wallet <id>', 'of this wallet only')
    .action(withConfig(runStatementsRebuild));
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
  const raw: { -readonly [Name in keyof Environment]: Environment[Name] } = {
    ...readEnvironment(),
  };
  for (const name of Object.keys(settings) as SettingName[]) {
    const key = flagOf(name).replace(/-([a-z])/g, (_match, letter: string) => letter.toUpperCase());
    const given = flags[key];
    if (given !== undefined) raw[name] = given;
  }
  const parsed = parseConfig(raw, scope);
  if (parsed.ok) return parsed.config;
  for (const fault of parsed.faults) printLine(`walletd: ${fault}`);
  printLine('hint: `walletd --help` lists every setting');
  return undefined;
}

async function runMigrate({ config, signal }: HostRun): Promise<number> {
  const fault = await migrateAll({ config, log: createLog(config.logLevel), signal });
  if (fault) return printFault(fault);
  printLine('walletd: the schemas are up to date');
  return 0;
}

type CreateOptions = Pick<NewUser, 'email' | 'role'>;

async function runUsersCreate(
  run: HostRun,
  options: CreateOptions,
  stop: StopSignals,
): Promise<number> {
  const password = await readPassword(stop.signal);
  if (!password.ok) return printFault(password.fault);
  if (password.value === undefined) return brokenOff(stop);
  const created = await createUser(run, { ...options, password: password.value });
  if (!created.ok) return printFault(created.fault);
  const { id, email, role } = created.value;
  printLine(`walletd: created ${role} ${email} (${id})`);
  return 0;
}

type ResetOptions = { readonly email: string; readonly keepApiKeys?: boolean };

async function runResetPassword(
  run: HostRun,
  { email, keepApiKeys }: ResetOptions,
  stop: StopSignals,
): Promise<number> {
  const password = await readPassword(stop.signal);
  if (!password.ok) return printFault(password.fault);
  if (password.value === undefined) return brokenOff(stop);
  const account = { email, password: password.value, keepApiKeys: keepApiKeys === true };
  const reset = await resetPassword(run, account);
  if (!reset.ok) return printFault(reset.fault);
  const { user, revokedSessions, revokedApiKeys, keptApiKeys } = reset.value;
  printLine(
    `walletd: set the password of ${user.email} (${user.id}); sign-ins ended: ${revokedSessions}, ` +
      `API keys ended: ${revokedApiKeys}, API keys that go on: ${keptApiKeys}`,
  );
  if (keptApiKeys > 0) {
    printLine('hint: to end the API keys too, run the command again without --keep-api-keys');
  }
  if (user.isDisabled) printLine('hint: the account is disabled still; an admin can enable it');
  return 0;
}

/** The password was not given: by Ctrl-C, which the prompt takes itself, or by a signal. */
function brokenOff(stop: StopSignals): number {
  printLine('walletd: interrupted: nothing was changed');
  return exitCodeOf[stop.findName() ?? 'SIGINT'];
}

async function runResetTotp(run: HostRun, account: { readonly email: string }): Promise<number> {
  const reset = await resetTotp(run, account);
  if (!reset.ok) return printFault(reset.fault);
  const { user, revokedSessions } = reset.value;
  const ended = `sign-ins ended: ${revokedSessions}`;
  printLine(`walletd: removed the second factor of ${user.email} (${user.id}); ${ended}`);
  return 0;
}

/** A command says itself what it did. */
const quietLog = (config: Config) =>
  createLog(config.logLevel === 'info' ? 'error' : config.logLevel);

/** Says that there is no such command. */
function refuseCommand(program: Command, name: string): number {
  const names = program.commands.map((command) => command.name());
  printLine(`walletd: there is no command ${JSON.stringify(stripControls(name))}`);
  printLine(`hint: the commands are ${names.join(', ')}; settings stand before them`);
  return usageExitCode;
}

async function runStatementsRebuild(run: HostRun, options: { wallet?: string }): Promise<number> {
  const describeProgress = ({
    wallets,
    lines,
    repaired,
  }: Record<'wallets' | 'lines' | 'repaired', number>) =>
    `${lines} lines of ${wallets} wallets compared, ${repaired} repaired`;
  let toldAt = performance.now();
  const done = await rebuildStatements(run, options.wallet, (progress) => {
    if (performance.now() - toldAt < progressEveryMs) return;
    toldAt = performance.now();
    printLine(`walletd: ${describeProgress(progress)} so far`);
  });
  if (!done.ok) return printFault(done.fault);
  printLine(`walletd: ${describeProgress(done.value)}`);
  return 0;
}
