import type { Command } from 'commander';

import type { Context } from '../../context.ts';
import type { CommandOutcome } from '../../outcome.ts';

/** Runs a command with the context that its options ask for. */
export type Start = (
  command: Command,
  run: (context: Context) => Promise<CommandOutcome>,
  options?: StartOptions,
) => Promise<void>;

export type StartOptions = {
  /** For commands that repair a configuration: defaults replace invalid settings. */
  readonly isLenient?: boolean;
  /** The command can be the first that a profile is named in. */
  readonly canBeNewProfile?: boolean;
  /** The command is about this profile, whichever is in use. */
  readonly profile?: string;
  /** `-o hledger` is known, and the command's own affair. */
  readonly hasJournal?: boolean;
};

/** The options that every command takes. */
export type GlobalOptions = {
  readonly server?: string;
  readonly profile?: string;
  readonly output?: string;
  readonly json?: boolean;
  readonly field?: readonly string[];
  readonly input: boolean;
  readonly yes?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly color: boolean;
  readonly timeout?: string;
  readonly tls?: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly insecurePlaintext?: boolean;
};
