import { userInfo } from 'node:os';

import { z } from 'zod';

import { findExponent } from '../core/currencies.ts';
import { isOperation, operations, type Operation } from '../core/operations.ts';
import type { LogLevel } from './platform/log.ts';

export const serviceNames = ['auth', 'wallet', 'statement'] as const;
export type ServiceName = (typeof serviceNames)[number];

export type HostPort = { readonly host: string; readonly port: number };

/** Databases of one's own: what the daemon works with, and who migrates. */
export type DatabaseUrls = { readonly url: string; readonly ownerUrl: string };

export type Config = {
  readonly listen: HostPort;
  readonly services: readonly ServiceName[];
  /** Undefined: the embedded Postgres in `dataDir`. */
  readonly databases: Readonly<Partial<Record<ServiceName, DatabaseUrls>>> | undefined;
  readonly dataDir: string | undefined;
  readonly home: { readonly uid: number; readonly homeDir: string; readonly xdgDataHome?: string };
  readonly shouldMigrate: boolean;
  readonly peerAddresses: Readonly<Partial<Record<ServiceName, string>>>;
  readonly serviceCredentialFile: string | undefined;
  readonly signingKeyFile: string | undefined;
  readonly statementQueue: string;
  readonly defaultCurrency: string;
  readonly inlineDays: number;
  readonly isSignUpOpen: boolean;
  readonly selfServiceOperations: ReadonlySet<Operation>;
  readonly isPlaintextAllowed: boolean;
  readonly isUnsafeDurabilityAllowed: boolean;
  readonly logLevel: LogLevel;
};

/** Every setting: its variable, what `--help` says of it, and the text it has if not set. */
export const settings = {
  WALLETD_LISTEN: ['HOST:PORT for gRPC; port 0 takes a free one', '127.0.0.1:50051'],
  WALLETD_SERVICES: ['which services to host', 'auth,wallet,statement'],
  WALLETD_DATA_DIR: ['where the embedded Postgres and its keys live', ''],
  AUTH_DATABASE_URL: ['the auth database, as the role that works with it', ''],
  WALLET_DATABASE_URL: ['the wallet database, likewise', ''],
  STATEMENT_DATABASE_URL: ['the statement database, likewise', ''],
  AUTH_MIGRATION_DATABASE_URL: ['the auth database, as the role that owns it', ''],
  WALLET_MIGRATION_DATABASE_URL: ['the wallet database, likewise', ''],
  STATEMENT_MIGRATION_DATABASE_URL: ['the statement database, likewise', ''],
  WALLETD_MIGRATE: ['on or off: bring the schemas up to date at start', 'on'],
  AUTH_SERVICE_URL: ['HOST:PORT of the auth service, where it is not hosted here', ''],
  WALLET_SERVICE_URL: ['HOST:PORT of the wallet service, likewise', ''],
  STATEMENT_SERVICE_URL: ['HOST:PORT of the statement service, likewise', ''],
  WALLETD_SERVICE_CREDENTIAL_FILE: ['a file with the secret that our services share', ''],
  AUTH_SIGNING_KEY_FILE: ['an Ed25519 key (PKCS #8, PEM) that signs access tokens', ''],
  STATEMENT_QUEUE: ['the queue of statement lines to come', 'statement_queue'],
  WALLET_CURRENCY: ['the currency where none is named', 'BRL'],
  STATEMENT_INLINE_DAYS: ['the longest statement that is answered at once', '15'],
  SIGN_UP: ['open or closed: whether anybody may open an account', ''],
  SELF_SERVICE_OPERATIONS: ['what customers may do by themselves', ''],
  WALLETD_ALLOW_PLAINTEXT: ['1 allows to listen beyond loopback without TLS', ''],
  WALLETD_ALLOW_UNSAFE_DURABILITY: ['1 allows a database that may lose commits; for tests', ''],
  LOG_LEVEL: ['trace, debug, info, warn, error or silent', 'info'],
} as const satisfies Readonly<Record<string, readonly [string, string]>>;

export type SettingName = keyof typeof settings;
export type RawConfig = Readonly<Partial<Record<SettingName, string>>>;

export type ConfigOutcome =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly faults: readonly string[] };

/** What customers may do by default on a system of one's own (contracts: closed defaults). */
const closedOperations = 'withdraw,purchase,cancellation';

/** First step: what the environment says, nothing judged yet. */
export function readEnvironment(): RawConfig & { readonly XDG_DATA_HOME?: string } {
  return process.env;
}

const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

const hostPort = z.string().transform((text, context): HostPort => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (match && port <= 65_535) return { host: match[1] ?? match[2] ?? '', port };
  context.addIssue({ code: 'custom', message: 'must be HOST:PORT, like 127.0.0.1:50051' });
  return z.NEVER;
});

const postgresUrl = z.union([
  z.literal('').transform(() => undefined),
  z.string().regex(/^postgres(ql)?:\/\//, 'must start with postgres://'),
]);

const flag = z.enum(['', '0', '1'], 'must be 1, 0 or empty').transform((text) => text === '1');

const optional = z.string().transform((text) => (text === '' ? undefined : text));

const schema = z.object({
  WALLETD_LISTEN: hostPort,
  WALLETD_SERVICES: z
    .string()
    .transform(listOf)
    .pipe(z.array(z.enum(serviceNames, `must name some of ${serviceNames.join(', ')}`)).min(1)),
  WALLETD_DATA_DIR: optional,
  AUTH_DATABASE_URL: postgresUrl,
  WALLET_DATABASE_URL: postgresUrl,
  STATEMENT_DATABASE_URL: postgresUrl,
  AUTH_MIGRATION_DATABASE_URL: postgresUrl,
  WALLET_MIGRATION_DATABASE_URL: postgresUrl,
  STATEMENT_MIGRATION_DATABASE_URL: postgresUrl,
  WALLETD_MIGRATE: z.enum(['on', 'off'], 'must be on or off'),
  AUTH_SERVICE_URL: optional,
  WALLET_SERVICE_URL: optional,
  STATEMENT_SERVICE_URL: optional,
  WALLETD_SERVICE_CREDENTIAL_FILE: optional,
  AUTH_SIGNING_KEY_FILE: optional,
  STATEMENT_QUEUE: z.string().regex(/^[\w.-]{1,200}$/, 'must be letters, digits, "_", "." or "-"'),
  WALLET_CURRENCY: z
    .string()
    .refine((code) => findExponent(code) !== undefined, 'must be a code of ISO 4217, like BRL'),
  STATEMENT_INLINE_DAYS: z
    .string()
    .regex(/^([1-9]\d?|[12]\d\d|3[0-5]\d|36[0-6])$/, 'must be a number of days from 1 to 366')
    .transform(Number),
  SIGN_UP: z.enum(['', 'open', 'closed'], 'must be open or closed'),
  SELF_SERVICE_OPERATIONS: z
    .string()
    .transform(listOf)
    .refine((names) => names.every(isOperation), `must name some of ${operations.join(', ')}`),
  WALLETD_ALLOW_PLAINTEXT: flag,
  WALLETD_ALLOW_UNSAFE_DURABILITY: flag,
  LOG_LEVEL: z.enum(
    ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
    'must be trace, debug, info, warn, error or silent',
  ),
});

type Parsed = z.output<typeof schema>;

/** Second step: raw texts to a configuration, or every fault at once. */
export function parseConfig(raw: RawConfig & { readonly XDG_DATA_HOME?: string }): ConfigOutcome {
  const texts = Object.fromEntries(
    Object.entries(settings).map(([name, [, fallback]]) => {
      const given = raw[name as SettingName]?.trim() ?? '';
      return [name, given === '' ? fallback : given];
    }),
  );
  const parsed = schema.safeParse(texts);
  if (!parsed.success) {
    return {
      ok: false,
      faults: parsed.error.issues.map((issue) => `${String(issue.path[0])}: ${issue.message}`),
    };
  }
  const faults = findContradictions(parsed.data);
  if (faults.length > 0) return { ok: false, faults };
  return { ok: true, config: toConfig(parsed.data, raw.XDG_DATA_HOME) };
}

function findContradictions(parsed: Parsed): string[] {
  const faults: string[] = [];
  const isOwn = usesOwnDatabases(parsed);
  const hosted = parsed.WALLETD_SERVICES;
  for (const name of serviceNames) {
    const upper = name.toUpperCase() as Uppercase<ServiceName>;
    const variable = `${upper}_DATABASE_URL` as const;
    if (isOwn && hosted.includes(name) && parsed[variable] === undefined) {
      faults.push(`${variable}: is missing, while another database URL is given`);
    }
    const peer = `${upper}_SERVICE_URL` as const;
    if (!hosted.includes(name) && parsed[peer] === undefined) {
      faults.push(`${peer}: is missing, and WALLETD_SERVICES does not host ${name}`);
    }
  }
  if (hosted.includes('wallet') !== hosted.includes('statement')) {
    faults.push(
      'WALLETD_SERVICES: wallet and statement must be hosted together without RABBITMQ_URL',
    );
  }
  if (hosted.length < serviceNames.length && parsed.WALLETD_SERVICE_CREDENTIAL_FILE === undefined) {
    faults.push(
      'WALLETD_SERVICE_CREDENTIAL_FILE: is missing, and services in other processes need it',
    );
  }
  if (isOwn && hosted.includes('auth') && parsed.AUTH_SIGNING_KEY_FILE === undefined) {
    faults.push(
      'AUTH_SIGNING_KEY_FILE: is missing; make one with `openssl genpkey -algorithm ed25519`',
    );
  }
  if (!isLoopback(parsed.WALLETD_LISTEN.host) && !parsed.WALLETD_ALLOW_PLAINTEXT) {
    faults.push(
      'WALLETD_LISTEN: is reachable from outside without TLS; put a TLS proxy in front and set ' +
        'WALLETD_ALLOW_PLAINTEXT=1, or listen on 127.0.0.1',
    );
  }
  return faults;
}

function toConfig(parsed: Parsed, xdgDataHome: string | undefined): Config {
  const isOwn = usesOwnDatabases(parsed);
  // Open to try it out only where nobody else can come in: our own database, and loopback.
  const isOpen = !isOwn && isLoopback(parsed.WALLETD_LISTEN.host);
  const { uid, homedir } = userInfo();
  const asked = parsed.SELF_SERVICE_OPERATIONS as Operation[];
  const fallback = (isOpen ? [...operations] : listOf(closedOperations)) as Operation[];
  return {
    listen: parsed.WALLETD_LISTEN,
    services: parsed.WALLETD_SERVICES,
    databases: isOwn ? databasesOf(parsed) : undefined,
    dataDir: parsed.WALLETD_DATA_DIR,
    home: { uid, homeDir: homedir, ...(xdgDataHome ? { xdgDataHome } : {}) },
    shouldMigrate: parsed.WALLETD_MIGRATE === 'on',
    peerAddresses: {
      ...(parsed.AUTH_SERVICE_URL ? { auth: parsed.AUTH_SERVICE_URL } : {}),
      ...(parsed.WALLET_SERVICE_URL ? { wallet: parsed.WALLET_SERVICE_URL } : {}),
      ...(parsed.STATEMENT_SERVICE_URL ? { statement: parsed.STATEMENT_SERVICE_URL } : {}),
    },
    serviceCredentialFile: parsed.WALLETD_SERVICE_CREDENTIAL_FILE,
    signingKeyFile: parsed.AUTH_SIGNING_KEY_FILE,
    statementQueue: parsed.STATEMENT_QUEUE,
    defaultCurrency: parsed.WALLET_CURRENCY,
    inlineDays: parsed.STATEMENT_INLINE_DAYS,
    isSignUpOpen: parsed.SIGN_UP === '' ? isOpen : parsed.SIGN_UP === 'open',
    selfServiceOperations: new Set(asked.length > 0 ? asked : fallback),
    isPlaintextAllowed: parsed.WALLETD_ALLOW_PLAINTEXT,
    isUnsafeDurabilityAllowed: parsed.WALLETD_ALLOW_UNSAFE_DURABILITY,
    logLevel: parsed.LOG_LEVEL,
  };
}

function usesOwnDatabases(parsed: Parsed): boolean {
  return serviceNames.some(
    (name) => parsed[`${name.toUpperCase() as Uppercase<ServiceName>}_DATABASE_URL`] !== undefined,
  );
}

function databasesOf(parsed: Parsed): NonNullable<Config['databases']> {
  const pair = (url: string | undefined, ownerUrl: string | undefined) =>
    url === undefined ? undefined : { url, ownerUrl: ownerUrl ?? url };
  const auth = pair(parsed.AUTH_DATABASE_URL, parsed.AUTH_MIGRATION_DATABASE_URL);
  const wallet = pair(parsed.WALLET_DATABASE_URL, parsed.WALLET_MIGRATION_DATABASE_URL);
  const statement = pair(parsed.STATEMENT_DATABASE_URL, parsed.STATEMENT_MIGRATION_DATABASE_URL);
  return {
    ...(auth ? { auth } : {}),
    ...(wallet ? { wallet } : {}),
    ...(statement ? { statement } : {}),
  };
}

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
