import { Chalk, type ChalkInstance } from 'chalk';

import { stripControls } from '../../core/text.ts';
import type { CliFailure } from '../outcome.ts';
import { repeatGiven, type Given } from './hints.ts';
import type { Io, TextOutput } from './io.ts';
import { toJsonText } from './plain.ts';
import { addSubject, nameField } from './subject.ts';
import type { OutputFormat } from '../config/settings.ts';
import type { Field } from './field.ts';

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
  readonly given?: Given;
  /** The options of the command by their long names, so that errors name them so. */
  readonly flags?: readonly string[];
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
  const say = async (kind: 'warning' | 'note', text: string): Promise<void> => {
    const message = repeatGiven(text, manner.given);
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
      const named = nameSubject(reported, manner.flags);
      const { hint } = named;
      const failure =
        hint === undefined ? named : { ...named, hint: repeatGiven(hint, manner.given) };
      return stderr.write(isJson ? formatJsonFailure(failure) : formatFailure(failure, chalk));
    },
  };
}

/** What is written is JSON, on stderr too. */
export const isForMachines = ({ output, fields }: Pick<Manner, 'output' | 'fields'>): boolean =>
  fields === undefined && (output === 'json' || output === 'ndjson');

/** Colours for a stream, or none. */
export function paintFor(stream: TextOutput, manner: Pick<Manner, 'hasColor'>): ChalkInstance {
  return new Chalk({ level: stream.isTerminal && manner.hasColor ? 1 : 0 });
}

/** `{ error: { reason, message, hint?, requestId?, field? } }`, on one line. */
function formatJsonFailure(failure: CliFailure): string {
  const { message, hint, requestId, field } = failure;
  const reason = failure.serverReason ?? failure.reason;
  return `${toJsonText({ error: { reason, message, hint, requestId, field } })}\n`;
}

function formatFailure(failure: CliFailure, chalk: ChalkInstance): string {
  const { reason, serverReason = reason, message, hint, requestId } = failure;
  const lines = [
    `${chalk.red('error:')} ${stripControls(message)} ${chalk.dim(`(${stripControls(serverReason)})`)}`,
    ...(hint === undefined ? [] : [`${chalk.cyan('hint:')} ${stripControls(hint)}`]),
    ...(requestId === undefined ? [] : [chalk.dim(`request id: ${stripControls(requestId)}`)]),
  ];
  return `${lines.join('\n')}\n`;
}

/** A usage error with its option or argument. The server's messages name their fields themselves. */
function nameSubject(failure: CliFailure, flags: readonly string[] = []): CliFailure {
  const { reason, field, message } = failure;
  if (reason !== 'USAGE' || field === undefined) return failure;
  return { ...failure, message: addSubject(nameField(field, flags), message) };
}
