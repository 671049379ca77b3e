import { join } from 'node:path';

import { defaultProfile, type ProfileFile } from '../config/profiles.ts';
import { openAccountRecords } from './records.ts';

/** True for a profile that has settings, or that a user has signed in with. */
export async function isKnownProfile(
  file: ProfileFile,
  configDir: string,
  name: string,
): Promise<boolean> {
  if (name === defaultProfile || file.profiles[name] !== undefined) return true;
  const records = await openAccountRecords(join(configDir, 'accounts')).list();
  return records.some(({ profile }) => profile === name);
}
