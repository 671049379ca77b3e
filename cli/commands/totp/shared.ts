import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import { fail, failUsage, succeed, type CliFailure, type Outcome } from '../../outcome.ts';
import { askPassword, readSecretLines } from '../shared/password.ts';

type Asker = Pick<Context, 'canPrompt' | 'io' | 'prompter'>;

export type TotpInputOptions = {
  readonly passwordStdin?: boolean;
  readonly totpStdin?: boolean;
};

/** --password-stdin and --totp-stdin, for commands that need both. */
export function addPasswordAndCodeOptions(command: Command): Command {
  return command
    .option('--password-stdin', 'read two lines from stdin: the password, then the code')
    .option('--totp-stdin', 'the same');
}

/** How often a code is asked for before the command gives up. */
export const codeTries = 3;

/** A code, by a question. The same for six digits and for recovery codes, which are secrets. */
export async function askCode(context: Asker): Promise<Outcome<string>> {
  const code = await context.prompter.password(
    'Code of your authenticator app, or a recovery code',
  );
  if (code === undefined) return fail('INTERRUPTED', 'interrupted; nothing was changed');
  return code.trim() === '' ? failUsage('totp_code', 'must not be empty') : succeed(code);
}

/** The first line of stdin as the code. */
export async function readCode(context: Asker): Promise<Outcome<string>> {
  if (context.io.isStdinTerminal) return failTerminal();
  const lines = await readSecretLines(context, 'password', 1);
  if (!lines.ok) return lines;
  const [code = ''] = lines.value;
  return code.trim() === '' ? failUsage('totp_code', 'no code on stdin') : succeed(code);
}

/** Two lines of stdin: the password, then the code. */
export async function readPasswordAndCode(
  context: Asker,
): Promise<Outcome<{ readonly password: string; readonly code: string }>> {
  if (context.io.isStdinTerminal) return failTerminal();
  const lines = await readSecretLines(context, 'password', 2);
  if (!lines.ok) return lines;
  const [password = '', code = ''] = lines.value;
  return password === '' || code.trim() === ''
    ? failUsage('totp_code', 'stdin must have two lines: the password, then the code')
    : succeed({ password, code });
}

/** Password and code, from two lines of stdin or by questions. */
export async function askPasswordAndCode(
  context: Asker,
  options: TotpInputOptions,
): Promise<Outcome<{ readonly password: string; readonly code: string }>> {
  if (options.totpStdin || options.passwordStdin) return readPasswordAndCode(context);
  if (!context.canPrompt) {
    const hint = 'pipe in both, one line each: wallet … --password-stdin --totp-stdin < FILE';
    return failUsage('password', 'is missing, and there is no terminal to prompt at', hint);
  }
  const password = await askPassword(context, { fromStdin: false, isNew: false });
  if (!password.ok) return password;
  const code = await askCode(context);
  return code.ok ? succeed({ password: password.value, code: code.value }) : code;
}

function failTerminal(): Outcome<never> {
  const message = 'is read from stdin, which is a terminal that would show it';
  return failUsage('totp_code', message, 'pipe it in');
}

/** A wrong password here is not a failed sign-in. */
export function explainPassword(failure: CliFailure): CliFailure {
  return failure.reason === 'CREDENTIALS_INVALID'
    ? { ...failure, hint: 'check the password; nothing was changed' }
    : failure;
}
