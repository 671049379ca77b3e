import { buffer as readBuffer } from 'node:stream/consumers';

import { Option, type Command } from 'commander';

import { decodeUtf8, findSecretProblem } from '../../core/text.ts';
import { fail, succeed, type Outcome } from '../fault.ts';
import { untilAborted } from '../platform/concurrency/abort.ts';
import { exitCodeOf, type StopSignals } from '../process/stop-signals.ts';
import { usageExitCode } from './command-line.ts';
import { printFault, printLine } from './print.ts';

export type PasswordOptions = { readonly passwordStdin?: boolean };

/** Adds --password-stdin. */
export const addPasswordOption = (command: Command): Command =>
  command.addOption(
    new Option('--password-stdin', 'read the password from the first line of standard input'),
  );

/**
 * The password: asked for twice at a terminal, otherwise the first line of standard input. An exit
 * code where there is none; the reason was printed then.
 */
export async function readPassword(
  { passwordStdin = false }: PasswordOptions,
  stop: StopSignals,
): Promise<string | number> {
  const { isTTY } = process.stdin;
  if (passwordStdin && isTTY) {
    const fault = 'standard input is a terminal, which would show the password';
    printFault({ fault, hint: 'pipe it in, or leave --password-stdin out' });
    return usageExitCode;
  }
  const read = await readFrom(isTTY ? askTwice : readPiped, stop.signal);
  if (!read.ok) return printFault(read.fault);
  return read.value ?? reportInterrupted(stop);
}

/** Undefined if it was interrupted. */
async function readFrom(
  read: () => Promise<Outcome<string>>,
  signal: AbortSignal,
): Promise<Outcome<string | undefined>> {
  try {
    const password = await untilAborted(signal, read());
    const problem = password.ok ? findSecretProblem(password.value) : undefined;
    return problem === undefined ? password : fail(`the password ${problem}`, encodingHint);
  } catch (err) {
    if (signal.aborted || process.stdin.isTTY) return succeed(undefined);
    const why = err instanceof Error ? err.message : String(err);
    return fail(`the password cannot be read: ${why}`, pipeHint);
  }
}

const pipeHint = 'give it on standard input, or run the command at a terminal';
const encodingHint = 'give it in UTF-8: the terminal, or the file, has another encoding';

/** Without a byte order mark. */
async function readPiped(): Promise<Outcome<string>> {
  const text = decodeUtf8(await readBuffer(process.stdin));
  return text === undefined
    ? fail('the password on standard input is not valid UTF-8', encodingHint)
    : succeed(text.split(/\r?\n/, 1)[0] ?? '');
}

async function askTwice(): Promise<Outcome<string>> {
  const { default: inquirer } = await import('inquirer');
  const ask = async (message: string): Promise<string> => {
    const prompt = { type: 'password', name: 'password', message, mask: true } as const;
    return (await inquirer.prompt<{ password: string }>([prompt])).password;
  };
  for (;;) {
    const password = await ask('Password (12 characters or more):');
    if (password === (await ask('The same again:'))) return succeed(password);
    printLine('The two are not the same.');
  }
}

/** By Ctrl-C, which the prompt takes itself, or by a signal. */
function reportInterrupted(stop: StopSignals): number {
  printLine('walletd: interrupted: nothing was changed');
  return exitCodeOf[stop.findName() ?? 'SIGINT'];
}
