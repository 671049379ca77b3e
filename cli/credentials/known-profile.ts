import { defaultProfile, type ProfileFile } from '../config/profiles.ts';
import { recordsDir } from './accounts.ts';
import { openAccountRecords } from './records.ts';

/** True for a profile that has settings, or that a user has signed in with. */
export async function isKnownProfile(
  file: ProfileFile,
  configDir: string,
  name: string,
): Promise<boolean> {
  if (name === defaultProfile || file.profiles[name] !== undefined) return true;
  const records = await openAccountRecords(recordsDir(configDir)).list();
  return records.some(({ profile }) => profile === name);
}
