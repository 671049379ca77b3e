import { Chalk, type ChalkInstance } from 'chalk';

import { stripControls } from '../../core/text.ts';
import type { CliFailure } from '../outcome.ts';
import type { Io, TextOutput } from './io.ts';
import { toJsonText } from './plain.ts';
import type { OutputFormat } from '../config/settings.ts';

/** A field that `--field` chose. */
export type Field = {
  /** Its path in what `--json` prints, with `[]` behind an array whose elements are meant. */
  readonly path: string | undefined;
  /** Its path in an item of a list; empty for the item itself. */
  readonly itemPath: string | undefined;
};

/** How a command may speak. */
export type Manner = {
  readonly output: OutputFormat;
  /** Chosen by --field: then `output` is JSON, and only these of it are printed, as text. */
  readonly fields?: readonly Field[] | undefined;
  readonly isQuiet: boolean;
  readonly isVerbose: boolean;
  /** False with --no-color, NO_COLOR or a dumb terminal; a pipe never gets colours anyhow. */
  readonly hasColor: boolean;
  /** What the user gave and a suggested command has to repeat. */
  readonly given?: GivenOptions;
};

type GivenOptions = {
  readonly server?: string | undefined;
  readonly profile?: string | undefined;
  readonly hasInsecureStorage?: boolean;
};

/** What goes to stderr beside the data. Where stdout is JSON, each message is a line of JSON. */
export type Reporter = {
  /** Something to know although the command goes on; --quiet silences it. */
  warn(message: string): Promise<void>;
  /** Something that decides about money: said with --quiet too. */
  noteAlways(message: string): Promise<void>;
  /** A warning that --quiet does not silence. */
  warnAlways(message: string): Promise<void>;
  /** To know of the data, wherever it goes; --quiet silences it. */
  note(message: string): Promise<void>;
  /** Pleasant to know; for people at a terminal only. */
  hint(message: string): Promise<void>;
  /** For --verbose. */
  detail(message: string): Promise<void>;
  error(failure: CliFailure): Promise<void>;
};

export function createReporter(io: Io, manner: Manner): Reporter {
  const { stderr } = io;
  const chalk = paintFor(stderr, manner);
  const isJson = isForMachines(manner);
  const say = async (kind: 'warning' | 'note', message: string): Promise<void> => {
    const line = isJson
      ? toJsonText({ [kind]: { message } })
      : `${kind === 'warning' ? chalk.yellow('warning:') : chalk.bold('note:')} ${stripControls(message)}`;
    await stderr.write(`${line}\n`);
  };
  return {
    warn: async (message) => {
      if (!manner.isQuiet) await say('warning', message);
    },
    noteAlways: (message) => say('note', message),
    warnAlways: (message) => say('warning', message),
    note: async (message) => {
      if (!manner.isQuiet) await say('note', message);
    },
    hint: async (message) => {
      const isWanted = stderr.isTerminal && !manner.isQuiet && !isJson;
      if (!isWanted) return;
      const text = repeatGiven(message, manner.given);
      await stderr.write(`${chalk.dim(stripControls(text))}\n`);
    },
    detail: async (message) => {
      if (!manner.isVerbose) return;
      if (isJson) await say('note', message);
      else await stderr.write(`${chalk.dim(stripControls(message))}\n`);
    },
    error: (reported) => {
      const { hint } = reported;
      const failure =
        hint === undefined ? reported : { ...reported, hint: repeatGiven(hint, manner.given) };
      return stderr.write(isJson ? formatJsonFailure(failure) : formatFailure(failure, chalk));
    },
  };
}

/** What is written is JSON, on stderr too. */
export const isForMachines = ({ output, fields }: Pick<Manner, 'output' | 'fields'>): boolean =>
  fields === undefined && (output === 'json' || output === 'ndjson');

/** The commands that hints may name, so that other words after "wallet" are left alone. */
const commands = [
  'sign-(?:up|in|out)|verify-email|whoami|change-(?:password|email)|reset-password',
  'deposit|withdraw|purchase|cancel|reverse|balance',
  'totp (?:enable|disable|recovery-codes|status)',
  '(?:transactions|statement|exports|wallets|batch|users|sessions) [a-z][a-z-]*',
  '(?:api-keys|audit|dead-letters|config|profiles) [a-z][a-z-]*',
];
const commandPattern = new RegExp(`\\bwallet (?:${commands.join('|')})(?![\\w-])`, 'g');

/** Gives the commands in a text the options that decided where this one went. */
export function repeatGiven(hint: string, given: GivenOptions = {}): string {
  return hint.replace(commandPattern, (command) => {
    const options: (readonly [flag: string, value: string | undefined])[] = [
      ['--server', given.server],
      ['--profile', given.profile],
      [
        '--insecure-storage',
        given.hasInsecureStorage && command === 'wallet sign-in' ? '' : undefined,
      ],
    ];
    const missing = options.filter(([flag, value]) => value !== undefined && !hint.includes(flag));
    return [command, ...missing.map((option) => option.join(' ').trim())].join(' ');
  });
}

/** Colours for a stream, or none. */
export function paintFor(stream: TextOutput, manner: Pick<Manner, 'hasColor'>): ChalkInstance {
  return new Chalk({ level: stream.isTerminal && manner.hasColor ? 1 : 0 });
}

/** `{ error: { reason, message, hint?, requestId?, field? } }`, on one line. */
function formatJsonFailure(failure: CliFailure): string {
  const { reason, message, hint, requestId, field } = failure;
  return `${toJsonText({ error: { reason, message, hint, requestId, field } })}\n`;
}

function formatFailure(failure: CliFailure, chalk: ChalkInstance): string {
  const { reason, message, hint, requestId, field } = failure;
  // The server's messages name their fields themselves.
  const where = reason === 'USAGE' && field !== undefined ? nameField(field, message) : '';
  const lines = [
    `${chalk.red('error:')} ${stripControls(where + message)} ${chalk.dim(`(${reason})`)}`,
    ...(hint === undefined ? [] : [`${chalk.cyan('hint:')} ${stripControls(hint)}`]),
    ...(requestId === undefined ? [] : [chalk.dim(`request id: ${stripControls(requestId)}`)]),
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * `email is missing`, `limit: "x" is not …`; a message that is a sentence needs no name before it.
 */
function nameField(field: string, message: string): string {
  const name = field.replaceAll('_', ' ');
  if (/^(?:is|must|cannot) /.test(message)) return `${name} `;
  return message.startsWith('"') ? `${name}: ` : '';
}
