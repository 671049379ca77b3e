import { setTimeout as delay } from 'node:timers/promises';

import type { Command } from 'commander';

import { findExponent } from '../../core/currencies.ts';
import { WalletServiceService } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { readProfileFile } from '../config/profiles.ts';
import type { GlobalOptions } from '../commands/shared/start.ts';
import type { Context } from '../context.ts';
import { listProfileNames } from '../credentials/known-profile.ts';
import { readSubject } from '../credentials/tokens.ts';
import type { Outcome } from '../outcome.ts';
import { complete } from './complete.ts';
import { formatAnswer } from './format.ts';
import type { OwnWallet, Sources } from './sources.ts';
import { shells, splitLine, type Shell } from './split-line.ts';
import type { Position } from './walk.ts';

/** A person waits at a prompt. */
const completionLimitMs = 1000;

export type CompletionParts = {
  readonly program: Command;
  readonly configDir: string;
  /** What a command with these options would work with. Must not write or prompt. */
  readonly openContext: (options: GlobalOptions) => Promise<Outcome<Context>>;
};

/**
 * Answers a completion script: `SHELL LINE WORD` for bash, `SHELL LINE` for fish, and
 * `SHELL WORD…` for zsh. An empty text where nothing can be answered. Never rejects.
 */
export async function answerCompletion(
  [shellName, ...rest]: readonly string[],
  parts: CompletionParts,
): Promise<string> {
  const shell = shells.find((each) => each === shellName);
  if (!shell) return '';
  const { words, current, replaced, openQuote } = readTyped(shell, rest);
  const limit = delay(completionLimitMs, undefined, { ref: false });
  const sources: Sources = {
    profiles: () => orEmpty(listProfiles(parts.configDir), limit),
    ownWallets: (given) => orEmpty(listOwnWallets(parts, given), limit),
  };
  try {
    const completion = await complete(parts.program, words, current, sources);
    return formatAnswer(completion, { current, replaced, openQuote }, shell);
  } catch {
    return '';
  }
}

/** Without the first word, which is the command's own name, and variables before it. */
function readTyped(shell: Shell, rest: readonly string[]) {
  if (shell === 'zsh') {
    const current = rest.at(-1) ?? '';
    return { words: rest.slice(0, -1), current, replaced: '', openQuote: '' as const };
  }
  const [line = '', replaced = ''] = rest;
  const { words, ...last } = splitLine(line, shell);
  const name = words.findIndex((word) => !/^[A-Za-z_]\w*=/.test(word));
  return { ...last, words: name === -1 ? [] : words.slice(name + 1), replaced };
}

async function orEmpty<T>(
  found: Promise<readonly T[]>,
  limit: Promise<void>,
): Promise<readonly T[]> {
  const late = limit.then((): readonly T[] => []);
  return Promise.race([found.catch((): readonly T[] => []), late]);
}

async function listProfiles(configDir: string): Promise<readonly string[]> {
  const file = await readProfileFile(configDir);
  return file.ok ? listProfileNames(file.value, configDir) : [];
}

/**
 * The caller's wallets, with a token that is at hand: WALLET_TOKEN, or one in a file that is still
 * valid. The keychain could ask for a password, and a refresh that is cut off would lose the
 * session: neither is used here.
 */
async function listOwnWallets(
  { openContext }: CompletionParts,
  given: Position['given'],
): Promise<readonly OwnWallet[]> {
  const opened = await openContext(toOptions(given));
  if (!opened.ok) return [];
  const context = opened.value;
  try {
    const token = await findToken(context);
    if (token === undefined) return [];
    const request = { userId: '', pageSize: 100, pageToken: '' };
    const listed = await context.caller.callAs(
      token,
      WalletServiceService.listWallets,
      request,
      'read',
    );
    if (!listed.ok || !listed.value.ok) return [];
    const { wallets } = listed.value.value;
    // Staff get those of all users.
    const owner = readSubject(token) ?? wallets[0]?.userId;
    return wallets.every(({ userId }) => userId === owner)
      ? wallets.filter(({ currency }) => findExponent(currency) !== undefined)
      : [];
  } finally {
    context.close();
  }
}

/** The options that say where the server is and who asks it. */
function toOptions(given: Position['given']): GlobalOptions {
  const names = {
    ...{ '--server': 'server', '--profile': 'profile', '--tls': 'tls', '--tls-ca': 'tlsCa' },
    ...{ '--tls-cert': 'tlsCert', '--tls-key': 'tlsKey' },
    '--insecure-plaintext': 'insecurePlaintext',
  };
  const found = Object.entries(names).flatMap(([flag, name]) => {
    const text = given.get(flag);
    return text === undefined ? [] : [[name, text === '' ? true : text] as const];
  });
  const fixed = { json: true, quiet: true, input: false, color: false };
  return { ...Object.fromEntries(found), ...fixed, timeout: `${completionLimitMs}ms` };
}

async function findToken(context: Context): Promise<string | undefined> {
  const { environment, accounts, account, clock } = context;
  if (environment.token !== undefined) return environment.token;
  const record = await accounts.find(account);
  if (record?.storage !== 'file') return undefined;
  const stored = await accounts.load(account);
  if (!stored.ok || !stored.value) return undefined;
  const { accessToken, accessTokenExpiresAtMs = Infinity } = stored.value.secret;
  return accessTokenExpiresAtMs > clock.now() ? accessToken : undefined;
}
