import { CommanderError, type Command } from 'commander';

import type { GlobalOptions } from './commands/shared/start.ts';
import { answerCompletion } from './completion/answer.ts';
import { completionCommand } from './completion/scripts.ts';
import { readEnvironment } from './config/config.ts';
import type { OutputFormat } from './config/settings.ts';
import { version } from './config/version.ts';
import type { Context, Interrupts } from './context.ts';
import { nameFolderVariable } from './files/storage-failure.ts';
import { exitCodes, fail, type CliFailure, type CommandOutcome, type ExitCode } from './outcome.ts';
import { prepareContext, type CommandFlags, type World } from './prepare-context.ts';
import { buildProgram } from './program.ts';
import { openProcessIo, type Io } from './terminal/io.ts';
import { createPrompter } from './terminal/prompter.ts';
import { createReporter } from './terminal/reporter.ts';
import { explainUsage, findOutput } from './terminal/usage.ts';

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
  const [name, ...rest] = argv;
  if (name === completionCommand) {
    await io.stdout.write(await runCompletion(rest, world));
    return exitCodes.done;
  }
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
    await createReporter(io, manner).error(nameFolderVariable(failure, environment.paths));
    exitCode = failure.exitCode;
  };
  const program = buildProgram(version, async (command, run, options) => {
    const typed = command.optsWithGlobals<GlobalOptions & CommandFlags>();
    const globals = { ...typed, ...(options?.profile && { profile: options.profile }) };
    const prepared = await prepareContext(world, globals, { ...options, command });
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
    const failure = nameFolderVariable(outcome.failure, context.environment.paths);
    await context.reporter.error(failure);
    return failure.exitCode;
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

/** Answers a completion script. Whatever fails, it prompts for nothing and writes no error. */
function runCompletion(argv: readonly string[], world: World): Promise<string> {
  const silent = { ...world.io.stderr, isTerminal: false, write: () => Promise.resolve() };
  const quietWorld = { ...world, io: { ...world.io, isStdinTerminal: false, stderr: silent } };
  return answerCompletion(argv, {
    program: buildProgram(version, () => Promise.resolve()),
    configDir: world.environment.paths.configDir,
    openContext: (options) => prepareContext(quietWorld, options),
  });
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
