import { CommanderError, type Command } from 'commander';

import { readEnvironment, type Environment } from './config/config.ts';
import { createContext, type Context, type Interrupts } from './context.ts';
import {
  exitCodes,
  fail,
  failUsage,
  succeed,
  type CliFailure,
  type CommandOutcome,
  type ExitCode,
  type Outcome,
} from './outcome.ts';
import { openProcessIo, type Io } from './terminal/io.ts';
import {
  defaultProfile,
  failNoProfile,
  isProfileName,
  readProfileFile,
} from './config/profiles.ts';
import { isKnownProfile } from './credentials/known-profile.ts';
import { buildProgram } from './program.ts';
import type { GlobalOptions, StartOptions } from './commands/shared/start.ts';
import { createPrompter, type Prompter } from './terminal/prompter.ts';
import {
  dropInvalid,
  layerSettings,
  typeSettings,
  type Layer,
  type Origin,
  type OutputFormat,
} from './config/settings.ts';
import { createReporter, type Field, type Manner } from './terminal/reporter.ts';
import { explainUsage, findOutput, nameCommand } from './terminal/usage.ts';
import { readFields } from './output/fields.ts';
import { jsonFields } from './output/json-fields.ts';
import { version } from './config/version.ts';

/** What a command line runs in. Tests bring their own. */
export type World = {
  readonly environment: Environment;
  readonly io: Io;
  readonly prompter: Prompter;
  readonly interrupts: Interrupts;
  readonly keychainHelperUrl: URL;
};

/** Runs this process's command line, and ends the process. */
export async function runProcess(keychainHelperUrl: URL): Promise<void> {
  // Warnings for developers of what is built in are no help to users.
  process.noDeprecation = true;
  const io = openProcessIo();
  const exitCode = await runCommandLine(process.argv.slice(2), {
    environment: readEnvironment(),
    io,
    prompter: createPrompter(io),
    interrupts: listenForInterrupts(),
    keychainHelperUrl,
  });
  process.exit(exitCode);
}

/** Runs one command line and answers how the process should end. Never throws. */
export async function runCommandLine(argv: readonly string[], world: World): Promise<ExitCode> {
  const { io, environment } = world;
  const exitCode = await runParsed(argv, world);
  // Both may be pipes that still hold text.
  await Promise.all([io.stdout.write(''), io.stderr.write('')]);
  const { fault } = io.stdout;
  if (fault?.kind === 'closed') return isSuccess(exitCode) ? exitCodes.done : exitCode;
  if (!fault || !isSuccess(exitCode)) return exitCode;
  const output = findOutput(argv, environment);
  const manner = { output, isQuiet: false, isVerbose: false, hasColor: environment.hasColor };
  const message = `the command was done, but its output cannot be written: ${fault.message}`;
  await createReporter(io, manner).error(fail('OUTPUT_FAILED', message).failure);
  return exitCodes.unexpected;
}

/** What else there is to say has been said already. */
function isSuccess(exitCode: ExitCode): boolean {
  return exitCode === exitCodes.done || exitCode === exitCodes.statementNotComplete;
}

async function runParsed(argv: readonly string[], world: World): Promise<ExitCode> {
  const { io, environment } = world;
  let exitCode: ExitCode = exitCodes.done;
  const tellFailure = async (failure: CliFailure, output: OutputFormat): Promise<void> => {
    const manner = { output, isQuiet: false, isVerbose: false, hasColor: environment.hasColor };
    await createReporter(io, manner).error(failure);
    exitCode = failure.exitCode;
  };
  const program = buildProgram(version, async (command, run, options) => {
    const prepared = await prepareContext(world, command, options);
    if (!prepared.ok) {
      await tellFailure(prepared.failure, findOutput(argv, environment));
      return;
    }
    exitCode = await runToEnd(prepared.value, run);
  });
  prepareParsing(program, io);
  try {
    if (argv.length === 0) program.outputHelp();
    else await program.parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) {
      // For instance a configuration that cannot be read.
      const message = error instanceof Error ? error.message : String(error);
      await tellFailure(fail('UNEXPECTED', message).failure, findOutput(argv, environment));
      return exitCode;
    }
    if (error.exitCode === 0) return exitCodes.done;
    if (error.code === 'commander.help') return exitCodes.usage;
    await tellFailure(explainUsage(error, argv, program), findOutput(argv, environment));
  }
  return exitCode;
}

async function runToEnd(
  context: Context,
  run: (context: Context) => Promise<CommandOutcome>,
): Promise<ExitCode> {
  try {
    const outcome = await run(context);
    if (outcome.ok) return outcome.value;
    await context.reporter.error(outcome.failure);
    return outcome.failure.exitCode;
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    await context.reporter.error(fail('UNEXPECTED', message).failure);
    if (error instanceof Error) await context.reporter.detail(error.stack ?? '');
    return exitCodes.unexpected;
  } finally {
    context.close();
  }
}

/** Errors as values of ours instead of text of the library's; help through our streams. */
function prepareParsing(program: Command, io: Io): void {
  const prepare = (command: Command): void => {
    command.exitOverride().configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text),
      outputError: () => undefined,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    });
    command.commands.forEach(prepare);
  };
  prepare(program);
}

async function prepareContext(
  world: World,
  command: Command,
  { isLenient = false, canBeNewProfile = isLenient, hasJournal = false }: StartOptions = {},
): Promise<Outcome<Context>> {
  const { environment, io } = world;
  const options = command.optsWithGlobals<GlobalOptions & CommandFlags>();
  if (options.json && options.output !== undefined && options.output !== 'json') {
    return failUsage('output', '--json and --output exclude each other');
  }
  const fields = chooseFields(command, options);
  if (!fields.ok) return fields;
  const { configDir } = environment.paths;
  const file = await readProfileFile(configDir);
  if (!file.ok) return file;
  const { profile, profileOrigin } = chooseProfile(options, environment, file.value.current);
  if (!isProfileName(profile)) {
    return failUsage('profile', `${JSON.stringify(profile)} is not a profile's name`);
  }
  const known = canBeNewProfile || (await isKnownProfile(file.value, configDir, profile));
  if (!known) return failNoProfile(profile, profileOrigin === 'environment');
  const settingValues = layerSettings({
    flags: toFlagLayer(options, hasJournal),
    environment: environment.settings,
    profile: file.value.profiles[profile] ?? {},
  });
  const { tz } = environment;
  const isOfTerminal = !isLenient && settingValues.timezone.text === undefined;
  if (isOfTerminal && tz !== undefined && !environment.timezone) {
    const message = `TZ: ${JSON.stringify(tz)} is not an IANA time zone, for instance Europe/Lisbon`;
    return fail('CONFIG_INVALID', message, { field: 'timezone', hint: 'correct or unset TZ' });
  }
  const settings = typeSettings(
    isLenient ? dropInvalid(settingValues) : settingValues,
    () => environment.timezone ?? 'UTC',
  );
  if (!settings.ok) return settings;
  const manner: Manner = {
    output: settings.value.output,
    fields: fields.value,
    isQuiet: options.quiet === true,
    isVerbose: options.verbose === true,
    hasColor: environment.hasColor && options.color,
    given: {
      server: options.server,
      profile: options.profile,
      hasInsecureStorage: options.insecureStorage === true,
    },
  };
  const isData = manner.output === 'json' || manner.output === 'ndjson';
  return succeed(
    createContext({
      ...world,
      manner,
      reporter: createReporter(io, manner),
      canPrompt: io.isStdinTerminal && io.stderr.isTerminal && options.input && !isData,
      isConfirmed: options.yes === true,
      settings: settings.value,
      settingValues,
      profile,
      profileOrigin,
    }),
  );
}

/** The fields of `--field`, which are known before the command does anything. */
function chooseFields(
  command: Command,
  { field, json, output }: GlobalOptions,
): Outcome<readonly Field[] | undefined> {
  if (field === undefined) return succeed(undefined);
  if (json || output !== undefined) {
    return failUsage('field', `--field and --${json ? 'json' : 'output'} exclude each other`);
  }
  const name = nameCommand(command);
  return readFields(field, jsonFields[name] ?? [], name);
}

/** Options of single commands that stand for settings. */
type CommandFlags = { readonly timezone?: string; readonly insecureStorage?: boolean };

function toFlagLayer(options: GlobalOptions & CommandFlags, hasJournal: boolean): Layer {
  const output = hasJournal && options.output === 'hledger' ? 'table' : options.output;
  const text = (isSet: boolean | undefined): string | undefined => (isSet ? 'true' : undefined);
  return {
    server: options.server,
    output: options.json || options.field ? 'json' : output,
    timezone: options.timezone,
    timeout: options.timeout,
    tls: text(options.tls),
    'tls-ca': options.tlsCa,
    'tls-cert': options.tlsCert,
    'tls-key': options.tlsKey,
    'insecure-plaintext': text(options.insecurePlaintext),
    'insecure-storage': text(options.insecureStorage),
  };
}

function chooseProfile(
  options: GlobalOptions,
  environment: Environment,
  current: string | undefined,
): { profile: string; profileOrigin: Origin } {
  if (options.profile !== undefined) return { profile: options.profile, profileOrigin: 'flag' };
  if (environment.profile !== undefined) {
    return { profile: environment.profile, profileOrigin: 'environment' };
  }
  if (current !== undefined) return { profile: current, profileOrigin: 'profile' };
  return { profile: defaultProfile, profileOrigin: 'default' };
}

/** Ctrl-C: what has to be said is said, and the process ends; what was sent stays remembered. */
function listenForInterrupts(): Interrupts {
  const actions = new Set<() => void>();
  let inCharge: (() => void) | undefined;
  process.on('SIGINT', () => {
    if (inCharge) {
      const stop = inCharge;
      inCharge = undefined;
      stop();
      return;
    }
    for (const action of actions) action();
    process.exit(exitCodes.interrupted);
  });
  return {
    add: (action) => {
      actions.add(action);
      return () => {
        actions.delete(action);
      };
    },
    takeOver: (action) => {
      inCharge = action;
      return () => {
        inCharge = undefined;
      };
    },
  };
}
