import { findSecretProblem } from '../../../core/text.ts';
import type { Context } from '../../context.ts';
import { fail, failUsage, succeed, type Outcome } from '../../outcome.ts';
import { readFirstLines } from '../../terminal/io.ts';

type Asker = Pick<Context, 'canPrompt' | 'io' | 'prompter'>;

/** The e-mail address, from its option or a question. */
export async function askEmail(
  context: Asker,
  email: string | undefined,
): Promise<Outcome<string>> {
  if (email !== undefined && email !== '') return succeed(email);
  if (!context.canPrompt) return failUsage('email', 'is missing', 'add --email EMAIL');
  const answer = await context.prompter.text('E-mail');
  if (answer === undefined) return failInterrupted();
  return answer === '' ? failUsage('email', 'is missing') : succeed(answer);
}

/** A password, from stdin or a question; a new one is asked for twice. */
export async function askPassword(
  context: Asker,
  options: { readonly fromStdin: boolean; readonly isNew: boolean; readonly message?: string },
): Promise<Outcome<string>> {
  if (options.fromStdin) return readSecret(context, 'password');
  if (!context.canPrompt) {
    return failUsage(
      'password',
      'is missing, and there is no terminal to prompt at',
      'pipe it in: wallet … --password-stdin < FILE',
    );
  }
  return options.isNew ? askNewPassword(context) : askOnce(context, options.message ?? 'Password');
}

/** The password that counts now and the one to come: two lines of stdin, or questions. */
export async function askPasswordChange(
  context: Asker,
  fromStdin: boolean,
): Promise<Outcome<{ readonly old: string; readonly new: string }>> {
  if (fromStdin) {
    if (context.io.isStdinTerminal) return failTerminal('password');
    const lines = await readSecretLines(context, 'password', 2);
    if (!lines.ok) return lines;
    const [old = '', next = ''] = lines.value;
    if (old === '' || next === '') {
      const message = 'stdin must have two lines: the old password, then the new one';
      return failUsage('password', message);
    }
    return succeed({ old, new: next });
  }
  if (!context.canPrompt) {
    const hint = 'pipe in both, one line each: wallet change-password --password-stdin < FILE';
    return failUsage('password', 'is missing, and there is no terminal to prompt at', hint);
  }
  const old = await askOnce(context, 'Old password');
  if (!old.ok) return old;
  const next = await askNewPassword(context);
  return next.ok ? succeed({ old: old.value, new: next.value }) : next;
}

const newPasswordTries = 3;

async function askNewPassword(context: Asker): Promise<Outcome<string>> {
  for (let count = 1; ; count += 1) {
    const password = await askOnce(context, 'New password');
    if (!password.ok) return password;
    const again = await context.prompter.password('Repeat the password');
    if (again === undefined) return failInterrupted();
    if (again === password.value) return password;
    if (count === newPasswordTries) {
      return failUsage('password', 'the two passwords are not the same');
    }
    await context.io.stderr.write('The two passwords are not the same; please try again.\n');
  }
}

async function askOnce(context: Asker, message: string): Promise<Outcome<string>> {
  const password = await context.prompter.password(message);
  if (password === undefined) return failInterrupted();
  return password === '' ? failUsage('password', 'must not be empty') : checkSecret(password);
}

/** Refuses what another password or token could be decoded to as well. */
function checkSecret(secret: string | undefined, field = 'password'): Outcome<string> {
  const problem = secret === undefined ? 'is not valid UTF-8' : findSecretProblem(secret);
  if (secret !== undefined && problem === undefined) return succeed(secret);
  const hint = 'give it in UTF-8: the terminal, or the file, has another encoding';
  return failUsage(field, `the ${field} ${problem ?? ''}; nothing was sent`, hint);
}

/** The first lines of stdin, each of them decoded without a replacement. */
export async function readSecretLines(
  context: Pick<Context, 'io'>,
  field: 'password' | 'token',
  count: number,
): Promise<Outcome<readonly string[]>> {
  const lines: string[] = [];
  for (const line of await readFirstLines(context.io.stdin, count)) {
    const checked = checkSecret(line, field);
    if (!checked.ok) return checked;
    lines.push(checked.value);
  }
  return succeed(lines);
}

/** The first line of stdin. */
export async function readSecret(
  context: Pick<Context, 'io'>,
  field: 'password' | 'token',
): Promise<Outcome<string>> {
  if (context.io.isStdinTerminal) return failTerminal(field);
  const lines = await readSecretLines(context, field, 1);
  if (!lines.ok) return lines;
  const [secret = ''] = lines.value;
  return secret === '' ? failUsage(field, `no ${field} on stdin`) : succeed(secret);
}

function failTerminal(field: string): Outcome<never> {
  return failUsage(
    field,
    'is read from stdin, which is a terminal that would show it',
    'pipe it in',
  );
}

/** A code that was mailed, from its option or a question. */
export async function askCode(context: Asker): Promise<Outcome<string>> {
  const code = await context.prompter.text('Code from the mail');
  if (code === undefined) return failInterrupted();
  return code.trim() === '' ? failUsage('code', 'is missing') : succeed(code.trim());
}

function failInterrupted(): Outcome<never> {
  return fail('INTERRUPTED', 'interrupted; nothing was sent');
}
