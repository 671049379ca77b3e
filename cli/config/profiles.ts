import { join } from 'node:path';

import { suggest } from '../../lib/suggest.ts';
import { fail, succeed, type Failed, type Outcome } from '../outcome.ts';
import { isOutOfReach, parseJsonObject, readTextIfAny, writePrivateFile } from '../files/files.ts';
import { notSent } from '../files/storage-failure.ts';
import { withLock } from '../files/lock.ts';
import { settingKeys, type Layer, type SettingKey } from './settings.ts';

export const defaultProfile = 'default';

/** config.json: the profile in use, and what each profile sets. */
export type ProfileFile = {
  readonly current: string | undefined;
  readonly profiles: Readonly<Record<string, Layer>>;
  /** This user may not enter the folder, so that there may be settings which are not used. */
  readonly isOutOfReach?: boolean;
};

/** True for a name that is safe in file names and keychain accounts. */
export function isProfileName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name);
}

/** Reads config.json; a file that is not there is an empty one. */
export async function readProfileFile(configDir: string): Promise<Outcome<ProfileFile>> {
  const path = join(configDir, 'config.json');
  const text = await readTextIfAny(path);
  if (text === undefined) {
    const isHidden = await isOutOfReach(path);
    return succeed({ current: undefined, profiles: {}, isOutOfReach: isHidden });
  }
  const value = parseJsonObject(text);
  const profiles = value?.['profiles'] ?? {};
  if (!value || typeof profiles !== 'object') {
    return fail(
      'CONFIG_INVALID',
      `${path} is not a valid configuration (a JSON object with "profile" and "profiles")`,
      {
        hint: 'correct it, or remove it to start again',
      },
    );
  }
  const current = value['profile'];
  return succeed({
    current: typeof current === 'string' && isProfileName(current) ? current : undefined,
    profiles: Object.fromEntries(
      Object.entries(profiles as Record<string, unknown>)
        .filter(([name]) => isProfileName(name))
        .map(([name, settings]) => [name, toLayer(settings)]),
    ),
  });
}

/** PROFILE_NOT_FOUND; `known` are the names of those that there are. */
export function failNoProfile(
  name: string,
  known: readonly string[],
  isFromEnvironment = false,
): Failed {
  const where = isFromEnvironment ? ', which WALLET_PROFILE names' : '';
  const meant = suggest(name, known);
  const others =
    'wallet profiles list, or create it: wallet sign-in --profile NAME --server HOST:PORT';
  return fail('PROFILE_NOT_FOUND', `there is no profile ${JSON.stringify(name)}${where}`, {
    field: 'profile',
    hint: meant === undefined ? others : `${meant} Otherwise: ${others}`,
  });
}

/** Sets one setting of a profile, or removes it where `text` is undefined. */
export function changeSetting(
  configDir: string,
  profile: string,
  key: SettingKey,
  text: string | undefined,
): Promise<Outcome<undefined>> {
  return changeFile(configDir, (file) => {
    const next: Layer = { ...file.profiles[profile], [key]: text };
    return { ...file, profiles: { ...file.profiles, [profile]: next } };
  });
}

/** Makes a profile the one that is used without --profile. */
export function useProfile(configDir: string, profile: string): Promise<Outcome<undefined>> {
  return changeFile(configDir, (file) => ({ ...file, current: profile }));
}

/** Renames a profile. The one in use stays in use. */
export function renameProfile(
  configDir: string,
  from: string,
  to: string,
): Promise<Outcome<undefined>> {
  return changeFile(configDir, ({ current = defaultProfile, profiles }) => {
    const { [from]: settings = {}, ...others } = profiles;
    const next = current === from ? to : current;
    return { current: next, profiles: { ...others, [to]: settings } };
  });
}

/** Removes the settings of a profile. If it was in use, the default one is from now on. */
export function removeProfile(configDir: string, name: string): Promise<Outcome<undefined>> {
  return changeFile(configDir, ({ current, profiles }) => {
    const { [name]: _removed, ...others } = profiles;
    return { current: current === name ? undefined : current, profiles: others };
  });
}

function changeFile(
  configDir: string,
  change: (file: ProfileFile) => ProfileFile,
): Promise<Outcome<undefined>> {
  return withLock(configDir, 'config', 5000, async () => {
    const file = await readProfileFile(configDir);
    if (!file.ok) return file;
    const { current, profiles } = change(file.value);
    const text = JSON.stringify({ profile: current, profiles }, null, 2);
    return writePrivateFile(join(configDir, 'config.json'), `${text}\n`, notSent);
  });
}

function toLayer(settings: unknown): Layer {
  if (typeof settings !== 'object' || settings === null) return {};
  const values = settings as Record<string, unknown>;
  return Object.fromEntries(
    settingKeys
      .filter((key) => ['string', 'number', 'boolean'].includes(typeof values[key]))
      .map((key) => [key, String(values[key])]),
  );
}
