import type { Context } from '../../context.ts';
import { done, fail, type CommandOutcome } from '../../outcome.ts';
import { printObject } from '../../output/print.ts';

/**
 * Prints recovery codes, which are shown this once: in table mode one a line, and nothing else, on
 * stdout. `more` is for JSON, before the codes.
 */
export async function printRecoveryCodes(
  context: Context,
  codes: readonly string[],
  more: Readonly<Record<string, unknown>> = {},
): Promise<CommandOutcome> {
  const { io, manner, reporter } = context;
  if (manner.output === 'table') {
    await reporter.note(
      'recovery codes: each opens one sign-in without your device; they are shown this once',
    );
    await io.stdout.write(codes.map((code) => `${code}\n`).join(''));
  } else {
    const columns = [
      { header: 'recovery_codes', value: (row: readonly string[]) => row.join(' ') },
    ];
    await printObject(context, codes, columns, (row) => ({ ...more, recoveryCodes: row }));
  }
  if (!io.stdout.fault) return done;
  return fail('OUTPUT_FAILED', 'the recovery codes could not be written', {
    hint: 'create new ones: wallet totp recovery-codes',
  });
}
