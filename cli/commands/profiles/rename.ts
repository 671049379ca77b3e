import type { Command } from 'commander';

import {
  defaultProfile,
  failNoProfile,
  isProfileName,
  readProfileFile,
  renameProfile,
} from '../../config/profiles.ts';
import type { Context } from '../../context.ts';
import { listProfileNames } from '../../credentials/known-profile.ts';
import { listProfileAccounts, moveProfileAccounts } from '../../credentials/profile-accounts.ts';
import { done, failUsage, succeed, type CommandOutcome, type Outcome } from '../../outcome.ts';
import { printObject } from '../../output/print.ts';
import { askYes, checkConfirmable } from '../shared/confirm.ts';
import type { Start } from '../shared/start.ts';

/** Adds `wallet profiles rename`. */
export function addProfilesRename(profiles: Command, start: Start): void {
  profiles
    .command('rename')
    .description('rename a profile, with its settings and sign-ins')
    .argument('<NAME>')
    .argument('<NEW_NAME>')
    .addHelpText('after', '\nExamples:\n  wallet profiles rename prod production')
    .action(async (name: string, newName: string, _options: unknown, command: Command) => {
      await start(command, (context) => runProfilesRename(context, name, newName), {
        isLenient: true,
      });
    });
}

/** `wallet profiles rename NAME NEW_NAME` */
async function runProfilesRename(
  context: Context,
  from: string,
  to: string,
): Promise<CommandOutcome> {
  const { environment, accounts, reporter } = context;
  const { configDir } = environment.paths;
  const checked = await checkNames(context, from, to);
  if (!checked.ok) return checked;
  const confirmed = await confirmPending(context);
  if (!confirmed.ok) return confirmed;
  const moved = await moveProfileAccounts({ accounts, configDir }, [from, to], () =>
    renameProfile(configDir, from, to),
  );
  if (!moved.ok) return moved;
  if (environment.profile === from) {
    await reporter.warn(`WALLET_PROFILE still names ${from}: set it to ${to}`);
  }
  if (context.manner.output === 'table') {
    await reporter.hint(`the profile ${from} is now ${to}`);
    return done;
  }
  const columns = [
    { header: 'name', value: () => to },
    { header: 'previous_name', value: () => from },
  ];
  await printObject(context, undefined, columns, () => ({ name: to, previousName: from }));
  return done;
}

async function checkNames(context: Context, from: string, to: string): Promise<Outcome<undefined>> {
  const { configDir } = context.environment.paths;
  if (!isProfileName(to)) {
    return failUsage('new_name', `${JSON.stringify(to)} cannot be the name of a profile`);
  }
  const file = await readProfileFile(configDir);
  if (!file.ok) return file;
  const known = await listProfileNames(file.value, configDir);
  if (!known.includes(from)) return failNoProfile(from, known);
  // The default one is always listed; without settings and sign-ins it is free.
  const isFree =
    to === defaultProfile &&
    file.value.profiles[to] === undefined &&
    (await listProfileAccounts(context.accounts, to)).length === 0;
  return known.includes(to) && (from === to || !isFree)
    ? failUsage('new_name', `there is a profile ${JSON.stringify(to)} already`)
    : succeed(undefined);
}

/** A command is recognised by its profile too: under a new name it would be another command. */
async function confirmPending(context: Context): Promise<Outcome<undefined>> {
  const { pendingKeys, reporter, isConfirmed } = context;
  if (!(await pendingKeys.hasAny())) return succeed(undefined);
  await reporter.warnAlways(
    'a command has an unknown outcome, and its key is stored under the name of its profile: ' +
      'run it again before its profile is renamed. Afterwards the same command is a new one, ' +
      'and pays again',
  );
  const confirmable = checkConfirmable(context, 'renaming a profile now', false);
  if (!confirmable.ok) return confirmable;
  return isConfirmed ? succeed(undefined) : askYes(context, 'Rename it all the same?');
}
