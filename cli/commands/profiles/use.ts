import type { Command } from 'commander';

import { failNoProfile, readProfileFile, useProfile } from '../../config/profiles.ts';
import { listProfileNames } from '../../credentials/known-profile.ts';
import type { Context } from '../../context.ts';
import { done, type CommandOutcome } from '../../outcome.ts';
import type { Start } from '../shared/start.ts';

/** Adds `wallet profiles use`. */
export function addProfilesUse(profiles: Command, start: Start): void {
  profiles
    .command('use')
    .description('choose the profile that is used without --profile')
    .argument('<NAME>')
    .addHelpText('after', '\nExamples:\n  wallet profiles use prod')
    .action(async (name: string, _options: unknown, command: Command) => {
      await start(command, (context) => runProfilesUse(context, name), { isLenient: true });
    });
}

/** `wallet profiles use NAME` */
async function runProfilesUse(context: Context, name: string): Promise<CommandOutcome> {
  const { configDir } = context.environment.paths;
  const file = await readProfileFile(configDir);
  if (!file.ok) return file;
  const known = await listProfileNames(file.value, configDir);
  if (!known.includes(name)) return failNoProfile(name, known);
  const used = await useProfile(configDir, name);
  if (!used.ok) return used;
  if (context.profileOrigin === 'environment') {
    await context.reporter.warn('WALLET_PROFILE is set and overrides the profile chosen here');
  }
  await context.reporter.hint(`the profile in use is now ${name}`);
  return done;
}
