import { Command, CommanderError, Option } from 'commander';

import packageJson from '../package.json' with { type: 'json' };
import {
  addExamples,
  usageExitCode,
  type CommandLine,
  type WithConfig,
} from './commands/command-line.ts';
import { addBackup } from './commands/backup/backup.ts';
import { addRestore } from './commands/backup/restore.ts';
import { addCheckpointCommands } from './commands/checkpoint.ts';
import { addConfigCommands } from './commands/config-check.ts';
import { explainFailure } from './commands/explain-failure.ts';
import type { HostRun } from './commands/host-run.ts';
import { addMigrate } from './commands/migrate.ts';
import { printLine, writeStdout } from './commands/print.ts';
import { runDaemon } from './commands/start.ts';
import { addStatementsCommands } from './commands/statements.ts';
import { addVerify } from './commands/verify/index.ts';
import { explainUsage } from './commands/usage.ts';
import { addUsersCommands } from './commands/users.ts';
import { addWalletsCommands } from './commands/wallets-accept-clock-ahead.ts';
import { parseConfig, readEnvironment, type Config, type Environment } from './config/config.ts';
import { settings, type SettingName } from './config/settings.ts';
import { describePlaces } from './databases/places.ts';
import { createLog } from './platform/log.ts';
import type { StopSignals } from './process/stop-signals.ts';

/** Reads the command line, runs what it asks for, and resolves to the exit code. Never rejects. */
export async function createProgram(argv: readonly string[], stop: StopSignals): Promise<number> {
  let exitCode = 0;
  let log = createLog('warn');
  process.on('uncaughtException', (err) => {
    log.fatal({ err }, 'uncaught error: the process stops');
    stop.ask(err.message);
  });
  const program = describeProgram(argv);
  const withConfig: WithConfig =
    (run, { scope, databases } = {}) =>
    async (...rest) => {
      const config = configure(program, scope);
      if (!config) {
        exitCode = usageExitCode;
        return;
      }
      const place = describePlaces(config, databases ?? config.services);
      if (place !== undefined) printLine(`walletd: ${place}`);
      log = createLog(config.logLevel);
      exitCode = await run({ config, log: quietLog(config), signal: stop.signal }, ...rest);
    };
  try {
    // Without a command it starts. A word that is no command is the library's to refuse.
    const isBare = program.parseOptions([...argv]).operands.length === 0;
    addCommands(program, { withConfig, stop }, (run) => runDaemon(run.config, log, stop), isBare);
    await program.parseAsync(argv, { from: 'user' });
  } catch (err) {
    if (!(err instanceof CommanderError)) return explainFailure(err, stop, log);
    return err.exitCode === 0 ? 0 : usageExitCode;
  }
  return exitCode;
}

/** All commands, in the order in which the help lists them. `start` is run where none is named. */
export function addCommands(
  program: Command,
  line: CommandLine,
  start: (run: HostRun) => Promise<number>,
  isDefault: boolean,
): void {
  const command = program
    .command('start', { isDefault })
    .description('run the daemon until SIGTERM or Ctrl-C (what `walletd` alone does)')
    .action(line.withConfig(start));
  addExamples(command, [
    'walletd start',
    'walletd start --listen 127.0.0.1:50052 --http-listen off',
  ]);
  addMigrate(program, line);
  addConfigCommands(program, line);
  addUsersCommands(program, line);
  addWalletsCommands(program, line);
  addCheckpointCommands(program, line);
  addStatementsCommands(program, line);
  addBackup(program, line);
  addRestore(program, line);
  addVerify(program, line);
}

/** The program with its settings, without commands. */
export function describeProgram(argv: readonly string[]): Command {
  const program = new Command('walletd')
    .description('The digital wallet: auth, wallet and statement services on gRPC.')
    .version(`walletd ${packageJson.version}`, '-V, --version', 'print the version')
    .exitOverride();
  program.configureOutput({
    writeOut: writeStdout,
    writeErr: (text) => printLine(text.trimEnd()),
    outputError: (text, write) => write(explainUsage(text, program, argv)),
  });
  for (const [name, [help, fallback]] of Object.entries(settings)) {
    const text = `${help} (${name}${fallback === '' ? '' : `, default ${fallback}`})`;
    program.addOption(new Option(`--${flagOf(name)} <value>`, text));
  }
  return addExamples(program, [
    'walletd',
    'walletd config check',
    'walletd users create --email ana@example.com --role admin',
    'WALLETD_DATA_DIR=/srv/wallet walletd start --listen 127.0.0.1:50051',
  ]);
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

/** A command says itself what it did. */
const quietLog = (config: Config) =>
  createLog(config.logLevel === 'info' ? 'error' : config.logLevel);
