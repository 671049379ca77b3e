import type { Command } from 'commander';

import type { GlobalOptions, StartOptions } from './commands/shared/start.ts';
import type { Environment } from './config/config.ts';
import {
  defaultProfile,
  failNoProfile,
  isProfileName,
  readProfileFile,
} from './config/profiles.ts';
import {
  dropInvalid,
  layerSettings,
  typeSettings,
  type Layer,
  type Origin,
} from './config/settings.ts';
import { createContext, type Context, type Interrupts } from './context.ts';
import { listProfileNames } from './credentials/known-profile.ts';
import { fail, failUsage, succeed, type Outcome } from './outcome.ts';
import { readFields } from './output/fields.ts';
import type { Field } from './terminal/field.ts';
import { jsonFields } from './output/json-fields.ts';
import { collectGiven, flagsOf } from './terminal/hints.ts';
import type { Io } from './terminal/io.ts';
import type { Prompter } from './terminal/prompter.ts';
import { createReporter, type Manner } from './terminal/reporter.ts';
import { nameCommand } from './terminal/usage.ts';

/** What a command line runs in. Tests bring their own. */
export type World = {
  readonly environment: Environment;
  readonly io: Io;
  readonly prompter: Prompter;
  readonly interrupts: Interrupts;
  readonly keychainHelperUrl: URL;
};

/** The context of a command, from its options, the environment and the profile. */
export async function prepareContext(
  world: World,
  options: GlobalOptions & CommandFlags,
  {
    command,
    isLenient = false,
    canBeNewProfile = isLenient,
    hasJournal = false,
  }: StartOptions & { readonly command?: Command } = {},
): Promise<Outcome<Context>> {
  const { environment, io } = world;
  if (options.json && options.output !== undefined && options.output !== 'json') {
    return failUsage('output', '--json and --output exclude each other');
  }
  const fields = command ? chooseFields(command, options) : succeed(undefined);
  if (!fields.ok) return fields;
  const { configDir } = environment.paths;
  const file = await readProfileFile(configDir);
  if (!file.ok) return file;
  const { profile, profileOrigin } = chooseProfile(options, environment, file.value.current);
  if (!isProfileName(profile)) {
    return failUsage('profile', `${JSON.stringify(profile)} is not a profile's name`);
  }
  if (!canBeNewProfile) {
    const known = await listProfileNames(file.value, configDir);
    const isFromEnvironment = profileOrigin === 'environment';
    if (!known.includes(profile)) return failNoProfile(profile, known, isFromEnvironment);
  }
  const settingValues = layerSettings({
    flags: toFlagLayer(options, hasJournal),
    environment: environment.settings,
    profile: file.value.profiles[profile] ?? {},
  });
  const { tz } = environment;
  const isOfTerminal = !isLenient && settingValues.timezone.text === undefined;
  if (isOfTerminal && tz !== undefined && !environment.timezone) {
    const message = `TZ: ${JSON.stringify(tz)} is not an IANA time zone, for instance Europe/Lisbon`;
    return fail('CONFIG_INVALID', message, { field: 'timezone', hint: 'correct or unset TZ' });
  }
  const settings = typeSettings(
    isLenient ? dropInvalid(settingValues) : settingValues,
    () => environment.timezone ?? 'UTC',
  );
  if (!settings.ok) return settings;
  const manner: Manner = {
    output: settings.value.output,
    fields: fields.value,
    isQuiet: options.quiet === true,
    isVerbose: options.verbose === true,
    hasColor: environment.hasColor && options.color,
    ...(command && { given: collectGiven(command), flags: flagsOf(command) }),
  };
  const isForMachines = manner.output === 'json' || manner.output === 'ndjson';
  const reporter = createReporter(io, manner);
  if (file.value.isOutOfReach) {
    const message = `${configDir} cannot be entered, so that no settings and sign-ins are used`;
    await reporter.warnAlways(`${message}; choose another folder with WALLET_CONFIG_DIR`);
  }
  return succeed(
    createContext({
      ...{ ...world, manner, reporter },
      canPrompt: io.isStdinTerminal && io.stderr.isTerminal && options.input && !isForMachines,
      isConfirmed: options.yes === true,
      settings: settings.value,
      settingValues,
      profile,
      profileOrigin,
    }),
  );
}

/** The fields of `--field`, which are known before the command does anything. */
function chooseFields(
  command: Command,
  { field, json, output }: GlobalOptions,
): Outcome<readonly Field[] | undefined> {
  if (field === undefined) return succeed(undefined);
  if (json || output !== undefined) {
    return failUsage('field', `--field and --${json ? 'json' : 'output'} exclude each other`);
  }
  const name = nameCommand(command);
  return readFields(field, jsonFields[name] ?? [], name);
}

/** Options of single commands that stand for settings. */
export type CommandFlags = { readonly timezone?: string; readonly insecureStorage?: boolean };

function toFlagLayer(options: GlobalOptions & CommandFlags, hasJournal: boolean): Layer {
  const output = hasJournal && options.output === 'hledger' ? 'table' : options.output;
  const text = (isSet: boolean | undefined): string | undefined => (isSet ? 'true' : undefined);
  return {
    server: options.server,
    output: options.json || options.field ? 'json' : output,
    timezone: options.timezone,
    timeout: options.timeout,
    tls: text(options.tls),
    'tls-ca': options.tlsCa,
    'tls-cert': options.tlsCert,
    'tls-key': options.tlsKey,
    'insecure-plaintext': text(options.insecurePlaintext),
    'insecure-storage': text(options.insecureStorage),
  };
}

function chooseProfile(
  options: GlobalOptions,
  environment: Environment,
  current: string | undefined,
): { profile: string; profileOrigin: Origin } {
  if (options.profile !== undefined) return { profile: options.profile, profileOrigin: 'flag' };
  if (environment.profile !== undefined) {
    return { profile: environment.profile, profileOrigin: 'environment' };
  }
  if (current !== undefined) return { profile: current, profileOrigin: 'profile' };
  return { profile: defaultProfile, profileOrigin: 'default' };
}
