import type { Config } from '../config/config.ts';
import type { Log } from '../platform/log.ts';

/** What a command on the host runs with. */
export type HostRun = {
  readonly config: Config;
  /** Of what goes wrong: a command says itself what it did. */
  readonly log: Log;
  /** Aborted by Ctrl-C and the like: the command rejects, with nothing left running. */
  readonly signal: AbortSignal;
};
