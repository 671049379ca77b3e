import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { findSettingProblem, settingKeys, settingSpecs } from '../../config/settings.ts';
import { readTlsFiles } from '../../config/tls.ts';
import { noHome } from '../../config/home.ts';
import type { Paths } from '../../config/config.ts';
import { version } from '../../config/version.ts';
import type { Context } from '../../context.ts';
import { listProfileNames } from '../../credentials/known-profile.ts';
import { readProfileFile } from '../../config/profiles.ts';
import { ok, problem, toProblem, type Finding } from './finding.ts';

/** The client, its profile, and where each setting comes from. */
export async function checkSettings(context: Context): Promise<readonly Finding[]> {
  const { settingValues, settings } = context;
  const tls = settings.hasTls ? readTlsFiles(settings) : undefined;
  const given = settingKeys.filter((key) => settingValues[key].origin !== 'default');
  const defaults = settingKeys
    .filter((key) => settingValues[key].origin === 'default')
    .flatMap((key) => {
      const { text } = settingValues[key];
      return text === undefined ? [] : `${key} ${text}`;
    });
  return [
    ok('client', `wallet ${version}, Node ${process.versions.node}`, { details: { version } }),
    await checkProfile(context),
    ...given.map((key) => checkSetting(context, key)),
    ok('settings', `by default: ${defaults.join(', ')}`),
    ...(tls?.ok === false ? [toProblem('tls', tls)] : []),
  ];
}

async function checkProfile(context: Context): Promise<Finding> {
  const { profile, profileOrigin, environment } = context;
  const { configDir } = environment.paths;
  const details = { profile, origin: profileOrigin };
  const file = await readProfileFile(configDir);
  if (!file.ok) return toProblem('profile', file);
  const known = await listProfileNames(file.value, configDir);
  if (known.includes(profile)) {
    return ok('profile', `${profile}, from ${origins[profileOrigin]}`, { details });
  }
  const message = `there is no profile ${JSON.stringify(profile)}, from ${origins[profileOrigin]}`;
  const fix = 'wallet profiles list, or create it: wallet sign-in --profile NAME';
  return problem('profile', message, { fix, details });
}

const origins = {
  flag: 'the command line',
  environment: 'the environment',
  profile: 'the profile',
  default: 'the default',
} as const;

function checkSetting(
  { settingValues, profile }: Context,
  key: (typeof settingKeys)[number],
): Finding {
  const { text = '', origin } = settingValues[key];
  const wrong = findSettingProblem(key, text);
  const from = origin === 'environment' ? settingSpecs[key].env : origins[origin];
  const details = { key, value: text, origin };
  if (wrong === undefined) return ok('settings', `${key} ${text}, from ${from}`, { details });
  const fixes = {
    flag: `correct --${key}`,
    environment: `correct or unset ${settingSpecs[key].env}`,
    profile: `wallet config set ${key} VALUE --profile ${profile}`,
    default: '',
  };
  const message = `${key} ${JSON.stringify(text)} ${wrong}, from ${from}`;
  return problem('settings', message, { fix: fixes[origin], details });
}

/** Whether the folders can be written, or made. Makes none. */
export async function checkFolders({ environment }: Context): Promise<readonly Finding[]> {
  const { paths } = environment;
  const { configDir, stateDir } = paths;
  return [
    await checkFolder(paths, configDir, 'settings and sign-ins', 'WALLET_CONFIG_DIR'),
    await checkFolder(paths, stateDir, 'locks and pending keys', 'WALLET_STATE_DIR'),
  ];
}

async function checkFolder(
  { homeProblem }: Paths,
  dir: string,
  what: string,
  variable: string,
): Promise<Finding> {
  const fix = `set ${variable} to a folder that you may write`;
  if (homeProblem !== undefined && dir.startsWith(noHome)) {
    return problem('folders', `${homeProblem}: there is no folder for ${what}`, { fix });
  }
  for (let at = dir; ; at = dirname(at)) {
    try {
      const isFolder = (await stat(at)).isDirectory();
      if (!isFolder) return problem('folders', `${at} is not a folder (${what})`, { fix });
      await access(at, constants.W_OK | constants.X_OK);
      const state = at === dir ? 'can be written' : 'is made when it is needed';
      return ok('folders', `${dir} ${state} (${what})`, { details: { folder: dir } });
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT' && at !== dirname(at)) continue;
      return problem('folders', `${dir} cannot be written (${what}): ${message}`, { fix });
    }
  }
}
