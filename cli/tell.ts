import { Chalk, type ChalkInstance } from 'chalk';

import { stripControls } from '../core/text.ts';
import type { CliFailure } from './failures.ts';
import type { Io, TextOutput } from './io.ts';
import type { OutputFormat } from './settings.ts';

/** How a command may speak. */
export type Manner = {
  readonly output: OutputFormat;
  readonly isQuiet: boolean;
  readonly isVerbose: boolean;
  /** False with --no-color, NO_COLOR or a dumb terminal; a pipe never gets colours anyhow. */
  readonly hasColor: boolean;
};

/** What goes to stderr beside the data. Where stdout is JSON, each message is a line of JSON. */
export type Teller = {
  /** Something to know although the command goes on; --quiet silences it. */
  warn(message: string): Promise<void>;
  /** Something that decides about money: said with --quiet too. */
  insist(message: string): Promise<void>;
  /** Pleasant to know; for people at a terminal only. */
  hint(message: string): Promise<void>;
  /** For --verbose. */
  detail(message: string): Promise<void>;
  fail(failure: CliFailure): Promise<void>;
};

export function createTeller(io: Io, manner: Manner): Teller {
  const { stderr } = io;
  const chalk = paintFor(stderr, manner);
  const isJson = manner.output === 'json' || manner.output === 'ndjson';
  const say = async (kind: 'warning' | 'note', message: string): Promise<void> => {
    const line = isJson
      ? JSON.stringify({ [kind]: { message } })
      : `${kind === 'warning' ? chalk.yellow('warning:') : chalk.bold('note:')} ${message}`;
    await stderr.write(`${isJson ? line : stripLine(line, stderr)}\n`);
  };
  return {
    warn: async (message) => {
      if (!manner.isQuiet) await say('warning', message);
    },
    insist: (message) => say('note', message),
    hint: async (message) => {
      const isWanted = stderr.isTerminal && !manner.isQuiet && !isJson;
      if (isWanted) await stderr.write(`${chalk.dim(stripControls(message))}\n`);
    },
    detail: async (message) => {
      if (manner.isVerbose && !isJson) await stderr.write(`${chalk.dim(stripControls(message))}\n`);
    },
    fail: (failure) =>
      stderr.write(isJson ? formatJsonFailure(failure) : formatFailure(failure, chalk)),
  };
}

/** Colours for a stream, or none. */
export function paintFor(stream: TextOutput, manner: Pick<Manner, 'hasColor'>): ChalkInstance {
  return new Chalk({ level: stream.isTerminal && manner.hasColor ? 1 : 0 });
}

/** `{ error: { reason, message, hint?, requestId?, field? } }`, on one line. */
function formatJsonFailure(failure: CliFailure): string {
  const { reason, message, hint, requestId, field } = failure;
  return `${JSON.stringify({ error: { reason, message, hint, requestId, field } })}\n`;
}

function formatFailure(failure: CliFailure, chalk: ChalkInstance): string {
  const { reason, message, hint, requestId, field } = failure;
  // The server's messages name their fields themselves.
  const where = reason === 'USAGE' && field !== undefined ? `${field.replaceAll('_', ' ')}: ` : '';
  const lines = [
    `${chalk.red('error:')} ${stripControls(where + message)} ${chalk.dim(`(${reason})`)}`,
    ...(hint === undefined ? [] : [`${chalk.cyan('hint:')} ${stripControls(hint)}`]),
    ...(requestId === undefined ? [] : [chalk.dim(`request id: ${stripControls(requestId)}`)]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Our own colour codes stay where there is a terminal; elsewhere nothing of the kind gets out. */
function stripLine(line: string, stream: TextOutput): string {
  return stream.isTerminal ? line : stripControls(line);
}
