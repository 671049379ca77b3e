import { hostname } from 'node:os';
import { join } from 'node:path';

import { homeProblem } from './home.ts';
import envPaths from 'env-paths';

import { isTimezone } from '../../core/time/calendar.ts';
import { settingKeys, settingSpecs, type Layer } from './settings.ts';

/** The folders that the command line writes to. */
export type Paths = {
  /** config.json, and who is signed in where. */
  readonly configDir: string;
  /** Locks, and commands whose outcome is not known. */
  readonly stateDir: string;
  /** Why neither can be below the user's home folder. */
  readonly homeProblem: string | undefined;
};

/** All that the environment says. Nothing else in the command line reads it. */
export type Environment = {
  readonly settings: Layer;
  readonly profile: string | undefined;
  readonly token: string | undefined;
  readonly hasColor: boolean;
  readonly paths: Paths;
  /** A graphical session, in which a browser can be opened. */
  readonly hasDisplay: boolean;
  readonly host: string;
  /** The terminal's; undefined where TZ names none. Found when asked for: that takes 10 ms. */
  readonly timezone: string | undefined;
  readonly tz: string | undefined;
  /** What the keychain helper gets: everything but our own secrets. */
  readonly helperEnv: Readonly<Record<string, string>>;
};

/** Reads the environment. Tests pass one of their own. */
export function readEnvironment(
  env: Readonly<Record<string, string | undefined>> = process.env,
): Environment {
  const own = envPaths('digital-wallet', { suffix: '' });
  const state = process.platform === 'linux' ? own.log : own.data;
  return {
    settings: Object.fromEntries(settingKeys.map((key) => [key, env[settingSpecs[key].env]])),
    profile: presence(env['WALLET_PROFILE']),
    // Files with tokens often end in a line end, which no header can carry.
    token: presence(env['WALLET_TOKEN']?.trim()),
    hasColor: presence(env['NO_COLOR']) === undefined && env['TERM'] !== 'dumb',
    paths: {
      configDir: presence(env['WALLET_CONFIG_DIR']) ?? own.config,
      stateDir: presence(env['WALLET_STATE_DIR']) ?? join(state, 'cli'),
      homeProblem,
    },
    hasDisplay:
      process.platform === 'darwin' ||
      [env['DISPLAY'], env['WAYLAND_DISPLAY']].some((name) => presence(name) !== undefined),
    host: hostname(),
    get timezone() {
      return findTerminalTimezone();
    },
    tz: presence(env['TZ']),
    helperEnv: Object.fromEntries(
      Object.entries(env).filter(
        (entry): entry is [string, string] =>
          entry[1] !== undefined && !['WALLET_TOKEN', 'NODE_OPTIONS'].includes(entry[0]),
      ),
    ),
  };
}

/** Undefined, or an unknown zone, if TZ is invalid. An empty TZ is UTC. */
function findTerminalTimezone(): string | undefined {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions() as { timeZone?: string };
  if (timeZone === undefined || timeZone === '') return undefined;
  return isTimezone(timeZone) ? timeZone : undefined;
}

/** An empty variable counts as absent, as people unset one in a line of its own. */
function presence(text: string | undefined): string | undefined {
  return text === undefined || text === '' ? undefined : text;
}
