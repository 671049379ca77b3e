import { isTimezone } from '../../core/time/calendar.ts';
import { currencyCodes, findExponent, isWithdrawn } from '../../core/currencies.ts';
import { suggest } from '../../lib/suggest.ts';
import { fail, succeed, type Outcome } from '../outcome.ts';
import { parseServerAddress, type ServerAddress } from './server-address.ts';

export const outputFormats = ['table', 'json', 'ndjson', 'csv'] as const;
export type OutputFormat = (typeof outputFormats)[number];

type SettingSpec = {
  readonly env: string;
  readonly fallback: string | undefined;
  readonly help: string;
};

/** What a profile can hold, with the environment variable that overrides it and its default. */
export const settingSpecs = {
  server: { env: 'WALLET_SERVER', fallback: '127.0.0.1:50051', help: 'HOST:PORT of the server' },
  output: { env: 'WALLET_OUTPUT', fallback: 'table', help: outputFormats.join(', ') },
  currency: { env: 'WALLET_CURRENCY', fallback: 'BRL', help: 'ISO 4217 code of the wallet' },
  timezone: { env: 'WALLET_TIMEZONE', fallback: undefined, help: 'IANA time zone for all times' },
  timeout: { env: 'WALLET_TIMEOUT', fallback: '30s', help: 'limit for a request and its retries' },
  tls: { env: 'WALLET_TLS', fallback: 'false', help: "TLS with the system's authorities" },
  'tls-ca': { env: 'WALLET_TLS_CA', fallback: undefined, help: 'PEM file of authorities' },
  'tls-cert': { env: 'WALLET_TLS_CERT', fallback: undefined, help: 'client certificate (PEM)' },
  'tls-key': { env: 'WALLET_TLS_KEY', fallback: undefined, help: 'private key of the certificate' },
  'insecure-plaintext': {
    env: 'WALLET_INSECURE_PLAINTEXT',
    fallback: 'false',
    help: 'no encryption, also to other machines',
  },
  'insecure-storage': {
    env: 'WALLET_INSECURE_STORAGE',
    fallback: 'false',
    help: 'sign-in keeps the token in a file, not in the keychain',
  },
} as const satisfies Record<string, SettingSpec>;

export type SettingKey = keyof typeof settingSpecs;
export const settingKeys = Object.keys(settingSpecs) as readonly SettingKey[];

export type Origin = 'flag' | 'environment' | 'profile' | 'default';

/** A setting as text, with the layer that it came from; absent values have no text. */
type SettingValue = { readonly text: string | undefined; readonly origin: Origin };
export type SettingValues = Readonly<Record<SettingKey, SettingValue>>;

export type Layer = Readonly<Partial<Record<SettingKey, string | undefined>>>;
export type Layers = {
  readonly flags: Layer;
  readonly environment: Layer;
  readonly profile: Layer;
};

export type Settings = {
  readonly server: ServerAddress;
  readonly output: OutputFormat;
  readonly currency: string;
  /** The same if a flag, the environment or the profile says it; otherwise empty. */
  readonly chosenCurrency: string;
  readonly timezone: string;
  readonly timeoutMs: number;
  readonly hasTls: boolean;
  readonly tlsCaFile: string | undefined;
  /** What this client proves with who it is; undefined where the server does not ask. */
  readonly tlsClient: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly isPlaintextAllowed: boolean;
  readonly isInsecureStorageAllowed: boolean;
};

export function isSettingKey(text: string): text is SettingKey {
  return Object.hasOwn(settingSpecs, text);
}

/** Lays flag over environment over profile over default. Empty text counts as absent. */
export function layerSettings(layers: Layers): SettingValues {
  const pick = (key: SettingKey): SettingValue => {
    const candidates: readonly (readonly [Origin, string | undefined])[] = [
      ['flag', layers.flags[key]],
      ['environment', layers.environment[key]],
      ['profile', layers.profile[key]],
    ];
    for (const [origin, text] of candidates) {
      if (text !== undefined && text !== '') return { text, origin };
    }
    return { text: settingSpecs[key].fallback, origin: 'default' };
  };
  return Object.fromEntries(settingKeys.map((key) => [key, pick(key)])) as SettingValues;
}

/** `30`, `30s`, `500ms` or `2m` in milliseconds, above 0 and at most an hour. */
export function parseDuration(text: string): number | undefined {
  const match = /^([0-9]{1,7})(ms|s|m)?$/.exec(text);
  if (!match) return undefined;
  const unitMs = { ms: 1, s: 1000, m: 60_000 }[match[2] ?? 's'] ?? 1000;
  const durationMs = Number(match[1]) * unitMs;
  return durationMs > 0 && durationMs <= 3_600_000 ? durationMs : undefined;
}

/** True or false, spelt in the ways that people use; undefined for anything else. */
function parseFlag(text: string): boolean | undefined {
  if (['1', 'true', 'yes', 'on'].includes(text.toLowerCase())) return true;
  if (['0', 'false', 'no', 'off'].includes(text.toLowerCase())) return false;
  return undefined;
}

/** A valid value in the way that it is written in a profile: `yes` is `true`, `5` is `5s`. */
export function normaliseSetting(key: SettingKey, text: string): string {
  switch (key) {
    case 'server':
      return parseServerAddress(text)?.text ?? text;
    case 'timeout':
      return /^[0-9]+$/.test(text) ? `${text}s` : text;
    case 'tls':
    case 'insecure-plaintext':
    case 'insecure-storage':
      return String(parseFlag(text) ?? text);
    default:
      return text;
  }
}

/** The currency code that `text` was probably meant to be. */
export function suggestCurrency(text: string): string {
  const current = currencyCodes.filter((code) => !isWithdrawn(code));
  return suggest(text.trim(), current) ?? 'for instance BRL';
}

function explainUnknown(text: string, known: readonly string[]): string {
  const list = `is not one of ${known.join(', ')}`;
  const meant = suggest(text, known);
  return meant === undefined ? list : `${list}; ${meant}`;
}

/** Why `text` cannot be the value of `key`, or undefined if it can. */
export function findSettingProblem(key: SettingKey, text: string): string | undefined {
  switch (key) {
    case 'server':
      return parseServerAddress(text)
        ? undefined
        : 'is not HOST:PORT, for instance 127.0.0.1:50051 or [::1]:50051';
    case 'output':
      return isOutputFormat(text) ? undefined : explainUnknown(text, outputFormats);
    case 'currency':
      return findExponent(text) === undefined
        ? `is not an ISO 4217 code, ${suggestCurrency(text)}`
        : undefined;
    case 'timezone':
      return isTimezone(text) ? undefined : 'is not an IANA time zone, for instance Europe/Lisbon';
    case 'timeout':
      return parseDuration(text) === undefined
        ? 'is not a time above 0 and up to an hour, for instance 30s, 500ms or 2m'
        : undefined;
    case 'tls':
    case 'insecure-plaintext':
    case 'insecure-storage':
      return parseFlag(text) === undefined ? 'is neither true nor false' : undefined;
    case 'tls-ca':
    case 'tls-cert':
    case 'tls-key':
      return undefined;
  }
}

/** A client certificate and its key: neither is of use without the other. */
const clientPair = [
  ['tls-cert', 'tls-key'],
  ['tls-key', 'tls-cert'],
] as const;

/** Types the layered values; a failure lists every fault at once and where each came from. */
export function typeSettings(
  values: SettingValues,
  terminalTimezone: () => string,
): Outcome<Settings> {
  const faults: string[] = [];
  let field: SettingKey | undefined;
  for (const key of settingKeys) {
    const { text, origin } = values[key];
    const problem = text === undefined ? undefined : findSettingProblem(key, text);
    if (problem === undefined) continue;
    field ??= key;
    faults.push(`${describeSource(key, origin)}: ${JSON.stringify(text)} ${problem}`);
  }
  for (const [key, other] of clientPair) {
    if (values[key].text === undefined || values[other].text !== undefined) continue;
    field ??= key;
    const source = describeSource(key, values[key].origin);
    faults.push(`${source} needs ${describeSource(other, values[key].origin)} beside it`);
  }
  if (field !== undefined) {
    const message = faults.join('; ');
    return values[field].origin === 'flag'
      ? fail('INVALID_OPTION', message, { field })
      : fail('CONFIG_INVALID', message, { field, hint: 'wallet config list --show-origin' });
  }
  return succeed(toSettings(values, terminalTimezone));
}

/** The valid values, and the default for each invalid one: to repair a configuration with. */
export function dropInvalid(values: SettingValues): SettingValues {
  const withDefault = (key: SettingKey): SettingValue => {
    const { text } = values[key];
    const isValid = text === undefined || findSettingProblem(key, text) === undefined;
    const other = clientPair.find(([of]) => of === key)?.[1];
    if (other !== undefined && values[other].text === undefined) {
      return { text: undefined, origin: 'default' };
    }
    return isValid ? values[key] : { text: settingSpecs[key].fallback, origin: 'default' };
  };
  return Object.fromEntries(settingKeys.map((key) => [key, withDefault(key)])) as SettingValues;
}

function toSettings(values: SettingValues, terminalTimezone: () => string): Settings {
  const server = parseServerAddress(values.server.text ?? '');
  const timeoutMs = parseDuration(values.timeout.text ?? '');
  const output = values.output.text ?? 'table';
  if (!server || timeoutMs === undefined || !isOutputFormat(output)) {
    throw new Error('toSettings: values were not checked');
  }
  const certFile = values['tls-cert'].text;
  const keyFile = values['tls-key'].text;
  const tlsFiles = [values['tls-ca'].text, certFile, keyFile];
  const isOn = (key: SettingKey): boolean => parseFlag(values[key].text ?? 'false') ?? false;
  return {
    server,
    output,
    currency: values.currency.text ?? settingSpecs.currency.fallback,
    chosenCurrency: values.currency.origin === 'default' ? '' : (values.currency.text ?? ''),
    get timezone() {
      return values.timezone.text ?? terminalTimezone();
    },
    timeoutMs,
    hasTls: isOn('tls') || tlsFiles.some((file) => file !== undefined),
    tlsCaFile: values['tls-ca'].text,
    tlsClient: certFile !== undefined && keyFile !== undefined ? { certFile, keyFile } : undefined,
    isPlaintextAllowed: isOn('insecure-plaintext'),
    isInsecureStorageAllowed: isOn('insecure-storage'),
  };
}

function describeSource(key: SettingKey, origin: Origin): string {
  switch (origin) {
    case 'flag':
      return `--${key}`;
    case 'environment':
      return settingSpecs[key].env;
    case 'profile':
      return `the profile's ${key}`;
    case 'default':
      return key;
  }
}

function isOutputFormat(text: string): text is OutputFormat {
  return (outputFormats as readonly string[]).includes(text);
}
