import { defaultProfile, type ProfileFile } from '../config/profiles.ts';
import { recordsDir } from './accounts.ts';
import { openAccountRecords } from './records.ts';

/**
 * The profiles that have settings or that a user has signed in with, and the default one, sorted.
 */
export async function listProfileNames(
  file: ProfileFile,
  configDir: string,
): Promise<readonly string[]> {
  const records = await openAccountRecords(recordsDir(configDir)).list();
  const signedIn = records.map(({ profile }) => profile);
  return [...new Set([defaultProfile, ...Object.keys(file.profiles), ...signedIn])].sort();
}
