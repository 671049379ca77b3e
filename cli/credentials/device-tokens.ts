import { join } from 'node:path';

import type { Outcome } from '../outcome.ts';
import { parseJsonObject, readTextIfAny, writePrivateFile } from '../files/files.ts';

/**
 * Tokens that a server gave this machine, for each account (`<profile>@<server>`) and e-mail
 * address. None of them opens anything by itself, so that they are kept in files, outlive a
 * sign-out, and losing one does no harm.
 */
export type TokensByEmail = {
  /** Empty where there is none, or none that can be read. */
  find(account: string, email: string): Promise<string>;
  /** The addresses that there is a token for. */
  list(account: string): Promise<readonly string[]>;
  /** In place of an earlier one; an empty token removes it. */
  save(account: string, email: string, token: string): Promise<Outcome<undefined>>;
};

/** Tokens in a folder, one 0600 file for each account. */
export function openTokensByEmail(dir: string): TokensByEmail {
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
    list: async (account) => Object.keys(await read(account)),
    save: async (account, email, token) => {
      // The last of two at once wins: a command asks for what the other one has lost.
      const { [keyOf(email)]: _earlier, ...others } = await read(account);
      const tokens = token === '' ? others : { ...others, [keyOf(email)]: token };
      const text = JSON.stringify({ version: 1, tokens }, null, 2);
      return writePrivateFile(pathOf(account), `${text}\n`);
    },
  };
}

const keyOf = (email: string): string => email.trim().toLowerCase();
