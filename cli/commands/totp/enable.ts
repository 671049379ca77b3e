import type { Command } from 'commander';

import {
  AuthServiceService,
  type BeginTotpResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { done, failUsage, type CommandOutcome } from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import { printRecoveryCodes } from './print-recovery-codes.ts';
import { askPassword } from '../shared/password.ts';
import { askCode, codeTries, explainPassword, readCode, type TotpInputOptions } from './shared.ts';
import type { Start } from '../shared/start.ts';

/** Adds `wallet totp enable`. */
export function addTotpEnable(totp: Command, start: Start): void {
  totp
    .command('enable')
    .description('require a code from an authenticator app at each sign-in')
    .option('--password-stdin', 'first step: read the password from stdin and print the secret')
    .option('--totp-stdin', 'second step: read the code from stdin and confirm')
    .addHelpText(
      'after',
      `
Examples:
  wallet totp enable
  wallet totp enable --password-stdin --json < password.txt
  wallet totp enable --totp-stdin --json < code.txt

The recovery codes are shown once. Your other sessions end.`,
    )
    .action(async (options: TotpInputOptions, command: Command) => {
      await start(command, (context) => runTotpEnable(context, options));
    });
}

/**
 * `wallet totp enable`: at a terminal in one go. Scripts begin with `--password-stdin`, which
 * prints the secret, and confirm with `--totp-stdin` in a second command of the same session.
 */
async function runTotpEnable(context: Context, options: TotpInputOptions): Promise<CommandOutcome> {
  const { passwordStdin = false, totpStdin = false } = options;
  if (passwordStdin && totpStdin) {
    const message = 'cannot be given with --password-stdin: the code follows from the secret';
    return failUsage('totp_stdin', message, 'confirm in a second command: --totp-stdin alone');
  }
  if (totpStdin) {
    const code = await readCode(context);
    return code.ok ? confirm(context, code.value) : code;
  }
  const credential = await context.credentials.get();
  if (!credential.ok) return credential;
  const password = await askPassword(context, { fromStdin: passwordStdin, isNew: false });
  if (!password.ok) return password;
  const request = { password: password.value };
  const begun = await context.caller.call(AuthServiceService.beginTotp, request, 'write');
  if (!begun.ok) return { ok: false, failure: explainPassword(begun.failure) };
  await printSecret(context, begun.value);
  if (passwordStdin) {
    await context.reporter.note(
      'not enabled yet; confirm with a code: wallet totp enable --totp-stdin',
    );
    return done;
  }
  await context.reporter.note('enter the secret, or the URI, into your authenticator app');
  return askAndConfirm(context);
}

async function askAndConfirm(context: Context): Promise<CommandOutcome> {
  for (let asked = 1; ; asked += 1) {
    const code = await askCode(context);
    if (!code.ok) return code;
    const outcome = await confirm(context, code.value);
    const isWrong = !outcome.ok && outcome.failure.reason === 'TOTP_INVALID';
    if (!isWrong || asked === codeTries) return outcome;
    await context.io.stderr.write('The code is wrong; please try again.\n');
  }
}

async function confirm(context: Context, code: string): Promise<CommandOutcome> {
  const enabled = await context.caller.call(AuthServiceService.enableTotp, { code }, 'write');
  if (!enabled.ok) {
    if (enabled.failure.exitCode !== 9) return enabled;
    const hint =
      'wallet totp status; where it is enabled, take new codes: wallet totp recovery-codes';
    return { ok: false, failure: { ...enabled.failure, hint } };
  }
  const { recoveryCodes, revokedSessions } = enabled.value;
  await context.reporter.hint(
    `the second factor is enabled; other sessions ended: ${revokedSessions}`,
  );
  return printRecoveryCodes(context, recoveryCodes, { enabled: true, revokedSessions });
}

async function printSecret(context: Context, begun: BeginTotpResponse): Promise<void> {
  const expiresAt = begun.expiresAt?.toISOString();
  const plain = (header: string, value: (row: BeginTotpResponse) => string) => ({
    ...{ header, value },
    table: { title: header, cell: value },
  });
  const columns = [
    plain('secret', ({ secret }) => secret),
    plain('uri', ({ uri }) => uri),
    { header: 'expires_at', value: () => expiresAt },
  ];
  await printObject(context, begun, columns, ({ secret, uri }) => ({ secret, uri, expiresAt }));
}
