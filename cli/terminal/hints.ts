import type { Command } from 'commander';

import { quoteForShell } from '../../core/shell-word.ts';

/** What the user gave and a suggested command has to repeat, so that it can be pasted. */
export type Given = {
  readonly options: readonly GivenOption[];
  /** The id that the command was about, and the noun that it belongs to: `exports`. */
  readonly id?: { readonly noun: string; readonly value: string };
};

type GivenOption = {
  readonly flag: string;
  /** Absent for one that takes no value. */
  readonly value?: string;
  /** Whether a command, without `wallet`, needs the option too. */
  readonly isTakenBy: (command: string) => boolean;
};

/** The commands that hints may name, so that other words after "wallet" are left alone. */
const commands = [
  'sign-(?:up|in|out)|verify-email|whoami|change-(?:password|email)|reset-password',
  'deposit|withdraw|purchase|transfer|hold|capture|release|cancel|reverse|balance',
  'totp (?:enable|disable|recovery-codes|status)',
  '(?:transactions|statement|exports|wallets|holds|limits|batch|group|users|sessions) [a-z][a-z-]*',
  '(?:api-keys|audit|dead-letters|config|profiles|open) [a-z][a-z-]*',
  'doctor|version',
];
const commandPattern = new RegExp(`\\bwallet (${commands.join('|')})(?![\\w-])( ID\\b)?`, 'g');

/** Gives the commands in a text what the user gave and they need, in place of placeholders too. */
export function repeatGiven(text: string, given: Given = { options: [] }): string {
  const { options, id } = given;
  if (!text.includes('wallet ')) return text;
  const hint = options.reduce(fillPlaceholder, text);
  return hint.replace(
    commandPattern,
    (found: string, command: string, idPart: string | undefined) => {
      const missing = options
        .filter(({ flag, isTakenBy }) => isTakenBy(command) && !mentions(hint, flag))
        .map(({ flag, value }) => (value === undefined ? flag : `${flag} ${quoteForShell(value)}`));
      const isSameNoun = id !== undefined && command.startsWith(`${id.noun} `);
      const named =
        isSameNoun && idPart !== undefined ? `wallet ${command} ${quoteForShell(id.value)}` : found;
      return [named, ...missing].join(' ');
    },
  );
}

const mentions = (text: string, flag: string): boolean =>
  new RegExp(`${flag}(?![\\w-])`).test(text);

function fillPlaceholder(text: string, { flag, value }: GivenOption): string {
  if (value === undefined) return text;
  const placeholder = new RegExp(`(${flag}) (?:EMAIL|USER|KEY)(?![\\w-])`, 'g');
  return text.replace(placeholder, (_found, name: string) => `${name} ${quoteForShell(value)}`);
}

/** Global options that decide where a command goes. */
const placeFlags = [
  '--server',
  '--profile',
  '--tls',
  '--tls-ca',
  '--tls-cert',
  '--tls-key',
  '--insecure-plaintext',
];
/** Options that say what a command is about, for the others that have them. */
const subjectFlags = ['--user', '--currency', '--service'];
/** Where --email is the address of one's own account. */
const ownEmailCommands = ['sign-in', 'sign-up', 'verify-email', 'reset-password'];

/** What a command line gave that the commands which it suggests have to repeat. */
export function collectGiven(command: Command): Given {
  const path = pathOf(command);
  const root = rootOf(command);
  const takes = (flag: string) => (one: string) =>
    listCommands(root).some((other) => pathOf(other) === one && flagsIn(other).includes(flag));
  const given = [
    ...placeFlags.map((flag) => ({ flag, isTakenBy: () => true })),
    ...subjectFlags.map((flag) => ({ flag, isTakenBy: takes(flag) })),
    { flag: '--email', isTakenBy: (one: string) => sharesEmail(path, one) },
    { flag: '--insecure-storage', isTakenBy: takes('--insecure-storage') },
    { flag: '--idempotency-key', isTakenBy: () => false },
  ];
  const values = valuesOf(command);
  const options: GivenOption[] = given.flatMap(({ flag, isTakenBy }) => {
    const value = values.get(flag);
    if (typeof value === 'string') return [{ flag, value, isTakenBy }];
    return value === true ? [{ flag, isTakenBy }] : [];
  });
  const user = values.get('--user');
  const isAddress = typeof user === 'string' && user.includes('@');
  // For a placeholder only: whose address it is, another command asks for by another name.
  if (isAddress) options.push({ flag: '--email', value: user, isTakenBy: () => false });
  const [noun = '', verb] = path.split(' ');
  const isAboutId = command.registeredArguments[0]?.name().endsWith('ID') === true;
  const [value] = command.args;
  const id = verb !== undefined && isAboutId && value !== undefined ? { noun, value } : undefined;
  return id === undefined ? { options } : { options, id };
}

const sharesEmail = (path: string, other: string): boolean =>
  ownEmailCommands.includes(path) ? ownEmailCommands.includes(other) : path === other;

const listCommands = (command: Command): Command[] => [
  command,
  ...command.commands.flatMap(listCommands),
];

const rootOf = (command: Command): Command => (command.parent ? rootOf(command.parent) : command);

/** `transactions list`: the names below the program. */
const pathOf = (command: Command): string =>
  command.parent ? `${pathOf(command.parent)} ${command.name()}`.trim() : '';

/** The options that a command takes, globals included, by their long names. */
export const flagsOf = (command: Command): readonly string[] => [
  ...flagsIn(command),
  ...flagsIn(rootOf(command)),
];

const flagsIn = (command: Command): string[] => command.options.map(({ long }) => long ?? '');

/** What was given for each option, by its long name, globals included. */
function valuesOf(command: Command): ReadonlyMap<string, unknown> {
  const parsed = command.optsWithGlobals<Record<string, unknown>>();
  const all = [...command.options, ...rootOf(command).options];
  return new Map(all.map((option) => [option.long ?? '', parsed[option.attributeName()]]));
}
