import { join } from 'node:path';

import { parseJsonObject, readTextIfAny, writePrivateFile } from '../files.ts';

/**
 * What the server gave this machine to be known by at the next sign-in, for each account
 * (`<profile>@<server>`) and address. It opens nothing; who shows it is not slowed down by the
 * guesses of others. So it outlives a sign-out, and losing it does no harm.
 */
export type DeviceTokens = {
  /** Empty where there is none, or none that can be read. */
  find(account: string, email: string): Promise<string>;
  save(account: string, email: string, token: string): Promise<void>;
};

/** Device tokens in a folder, one 0600 file for each account. */
export function openDeviceTokens(dir: string): DeviceTokens {
  const pathOf = (account: string): string => join(dir, `${encodeURIComponent(account)}.json`);
  const read = async (account: string): Promise<Readonly<Record<string, unknown>>> => {
    const text = await readTextIfAny(pathOf(account)).catch(() => undefined);
    const tokens = text === undefined ? undefined : parseJsonObject(text)?.['tokens'];
    return typeof tokens === 'object' && tokens !== null ? { ...tokens } : {};
  };
  return {
    find: async (account, email) => {
      const tokens = await read(account);
      const token = Object.hasOwn(tokens, keyOf(email)) ? tokens[keyOf(email)] : undefined;
      return typeof token === 'string' ? token : '';
    },
    save: async (account, email, token) => {
      // The last of two at once wins: the other's token is then asked for anew by a sign-in.
      const tokens = { ...(await read(account)), [keyOf(email)]: token };
      const text = JSON.stringify({ version: 1, tokens }, null, 2);
      await writePrivateFile(pathOf(account), `${text}\n`);
    },
  };
}

const keyOf = (email: string): string => email.trim().toLowerCase();
