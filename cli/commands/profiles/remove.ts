import type { Command } from 'commander';

import { failNoProfile, readProfileFile, removeProfile } from '../../config/profiles.ts';
import type { Context } from '../../context.ts';
import { listProfileNames } from '../../credentials/known-profile.ts';
import { listProfileAccounts, removeProfileAccounts } from '../../credentials/profile-accounts.ts';
import { accountOf, type AccountRecord } from '../../credentials/records.ts';
import { done, succeed, type CommandOutcome, type Outcome } from '../../outcome.ts';
import { formatCard } from '../../output/card.ts';
import { printObject } from '../../output/print.ts';
import { endStoredSession } from '../account/sign-out.ts';
import { askYes, checkConfirmable } from '../shared/confirm.ts';
import type { Start } from '../shared/start.ts';

/** Adds `wallet profiles remove`. */
export function addProfilesRemove(profiles: Command, start: Start): void {
  profiles
    .command('remove')
    .description('remove a profile, with its settings and sign-ins')
    .argument('<NAME>')
    .addHelpText(
      'after',
      `
Examples:
  wallet profiles remove staging
  wallet profiles remove staging --yes --json

The session at the profile's server is ended. One at another server ends there by itself.`,
    )
    .action(async (name: string, _options: unknown, command: Command) => {
      await start(command, (context) => runProfilesRemove(context, name), {
        isLenient: true,
        profile: name,
      });
    });
}

/** `wallet profiles remove NAME`, in the context of that profile. */
async function runProfilesRemove(context: Context, name: string): Promise<CommandOutcome> {
  const { environment, accounts, account, reporter } = context;
  const { configDir } = environment.paths;
  const file = await readProfileFile(configDir);
  if (!file.ok) return file;
  const known = await listProfileNames(file.value, configDir);
  if (!known.includes(name)) return failNoProfile(name, known);
  const records = await listProfileAccounts(accounts, name);
  const isCurrent = file.value.current === name;
  const confirmed = await confirm(context, name, records, isCurrent);
  if (!confirmed.ok) return confirmed;
  let hasEnded = false;
  for (const { server, email, userId } of records) {
    if (accountOf(name, server) === account) {
      const ended = await endStoredSession(context);
      if (!ended.ok) return ended;
      hasEnded = ended.value;
    } else {
      const who = email ?? userId;
      await reporter.warnAlways(`the session of ${who} at ${server} is not ended there`);
    }
  }
  const removed = await removeProfileAccounts({ accounts, configDir }, name);
  if (!removed.ok) return removed;
  const forgotten = await removeProfile(configDir, name);
  if (!forgotten.ok) return forgotten;
  if (environment.profile === name) await reporter.warn(`WALLET_PROFILE still names ${name}`);
  return print(context, name, { isCurrent, hasEnded });
}

async function confirm(
  context: Context,
  name: string,
  records: readonly AccountRecord[],
  isCurrent: boolean,
): Promise<Outcome<undefined>> {
  const confirmable = checkConfirmable(context, 'removing a profile', false);
  if (!confirmable.ok || context.isConfirmed) return confirmable;
  const { stderr } = context.io;
  const writer = { io: { ...context.io, stdout: stderr }, manner: context.manner };
  const now = context.clock.now();
  const sessions = records.map(({ email, userId, server, sessionExpiresAtMs }) => {
    const isOver = sessionExpiresAtMs !== undefined && sessionExpiresAtMs <= now;
    return ['signed in', `${email ?? userId} at ${server}${isOver ? ' (has ended)' : ''}`] as const;
  });
  const card = formatCard(writer, [
    ['profile', isCurrent ? `${name} (in use)` : name],
    ...sessions,
  ]);
  await stderr.write(card);
  const consequence = records.length === 0 ? '' : ' and sign out';
  const asked = await askYes(context, `Remove the profile${consequence}?`);
  return asked.ok ? succeed(undefined) : asked;
}

async function print(
  context: Context,
  name: string,
  { isCurrent, hasEnded }: { readonly isCurrent: boolean; readonly hasEnded: boolean },
): Promise<CommandOutcome> {
  if (context.manner.output === 'table') {
    const next = isCurrent ? '; the profile in use is now default' : '';
    await context.reporter.hint(`removed the profile ${name}${next}`);
    return done;
  }
  const columns = [
    { header: 'name', value: () => name },
    { header: 'revoked', value: () => String(hasEnded) },
  ];
  await printObject(context, undefined, columns, () => ({ name, revoked: hasEnded }));
  return done;
}
