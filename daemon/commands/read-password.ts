import { buffer as readBytes } from 'node:stream/consumers';

import { decodeUtf8, findSecretProblem } from '../../core/text.ts';
import type { Outcome } from '../fault.ts';
import { untilAborted } from '../platform/concurrency/abort.ts';
import { printLine } from './print.ts';

/** From standard input; at a terminal it is asked for, twice. Undefined if that was broken off. */
export async function readPassword(signal: AbortSignal): Promise<Outcome<string | undefined>> {
  try {
    const reading = process.stdin.isTTY ? askTwice() : readPiped();
    const password = await untilAborted(signal, reading);
    const problem = findSecretProblem(password);
    if (problem === undefined) return { ok: true, value: password };
    const hint = 'give it in UTF-8: the terminal, or the file, has another encoding';
    return { ok: false, fault: { fault: `the password ${problem}`, hint } };
  } catch (err) {
    if (signal.aborted || process.stdin.isTTY) return { ok: true, value: undefined };
    const why = err instanceof Error ? err.message : String(err);
    const hint = 'give it on standard input, or run the command at a terminal';
    return { ok: false, fault: { fault: `the password cannot be read: ${why}`, hint } };
  }
}

/** Without a byte order mark. What is not UTF-8 comes out as a text that is refused. */
const readPiped = async (): Promise<string> => {
  const bytes = await readBytes(process.stdin);
  return (decodeUtf8(bytes) ?? bytes.toString('utf8')).replace(/\r?\n$/, '');
};

async function askTwice(): Promise<string> {
  const { default: inquirer } = await import('inquirer');
  const ask = async (message: string): Promise<string> => {
    const prompt = { type: 'password', name: 'password', message, mask: true } as const;
    return (await inquirer.prompt<{ password: string }>([prompt])).password;
  };
  for (;;) {
    const password = await ask('Password (12 characters or more):');
    if (password === (await ask('The same again:'))) return password;
    printLine('The two are not the same.');
  }
}
