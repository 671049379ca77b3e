import type { Context } from './context.ts';
import { fail, failUsage, succeed, type Outcome } from './failures.ts';
import { readFirstLine } from './io.ts';

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
  options: { readonly fromStdin: boolean; readonly isNew: boolean },
): Promise<Outcome<string>> {
  if (options.fromStdin) return readSecret(context, 'password');
  if (!context.canPrompt) {
    return failUsage(
      'password',
      'cannot be asked for here',
      'pipe it in: wallet … --password-stdin < FILE',
    );
  }
  const password = await context.prompter.password(options.isNew ? 'New password' : 'Password');
  if (password === undefined) return failInterrupted();
  if (password === '') return failUsage('password', 'must not be empty');
  if (!options.isNew) return succeed(password);
  const again = await context.prompter.password('The same again');
  if (again === undefined) return failInterrupted();
  return again === password ? succeed(password) : failUsage('password', 'the two are not the same');
}

/** The first line of stdin. */
export async function readSecret(
  context: Pick<Context, 'io'>,
  field: 'password' | 'token',
): Promise<Outcome<string>> {
  if (context.io.isStdinTerminal) {
    return failUsage(
      field,
      'is read from stdin, which is a terminal that would show it',
      'pipe it in',
    );
  }
  const secret = await readFirstLine(context.io.stdin);
  return secret === '' ? failUsage(field, 'nothing came on stdin') : succeed(secret);
}

function failInterrupted(): Outcome<never> {
  return fail('INTERRUPTED', 'interrupted; nothing was sent');
}
