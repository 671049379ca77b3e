import type { z } from 'zod';

import { isOperation, selfServiceOperations, type Operation } from '../../core/operations.ts';
import {
  databasesOf,
  ownersIn,
  shouldMigrate,
  usesOwnDatabases,
  type DatabaseUrls,
  type OwnerSetting,
} from './database-settings.ts';
import { findHome, type Home } from '../host/home.ts';
import { findLedgerContradictions, toLedgerConfig, type LedgerConfig } from './ledger-settings.ts';
import { findForeignMail, findMailContradictions, smtpOf } from './mail-settings.ts';
import { addressesOf, findPeerContradictions, type PeerAddresses } from './peer-settings.ts';
import type { LogLevel } from '../platform/log.ts';
import {
  isLoopback,
  schema,
  serviceNames,
  settings,
  type Parsed,
  type RawConfig,
  type ServiceName,
  type SettingName,
} from './settings.ts';
import { listOf, type HostPort } from './setting-types.ts';
import type { TlsFileNames } from './tls-files.ts';

export type Config = LedgerConfig & {
  readonly listen: HostPort;
  readonly services: readonly ServiceName[];
  /** Undefined: no HTTP. */
  readonly http:
    | {
        readonly listen: HostPort;
        readonly allowedHosts: readonly string[];
        readonly corsOrigins: readonly string[];
      }
    | undefined;
  /** Undefined: the embedded Postgres in `dataDir`. */
  readonly databases: Readonly<Partial<Record<ServiceName, DatabaseUrls>>> | undefined;
  /** For each hosted service, at most. */
  readonly databaseConnections: number;
  /** Settings that hold the URL of a database's owner. */
  readonly ownerSettings: readonly OwnerSetting[];
  readonly dataDir: string | undefined;
  readonly home: Home;
  /** Undefined: `digital-wallet`, where root starts the daemon. */
  readonly user: string | undefined;
  readonly shouldMigrate: boolean;
  /** Of services that are not hosted here. */
  readonly peerAddresses: PeerAddresses;
  readonly serviceCredentialFile: string | undefined;
  readonly signingKeyFile: string | undefined;
  readonly previousKeyFile: string | undefined;
  readonly checkpointKeyFile: string | undefined;
  readonly checkpointMinutes: number;
  readonly checkpointFile: string | undefined;
  readonly rabbitmqUrl: string | undefined;
  readonly walletQueue: string;
  readonly statementQueue: string;
  readonly exportQueue: string;
  readonly exportRetentionDays: number;
  readonly amqpOperations: ReadonlySet<Operation>;
  readonly outboxLimit: number;
  /** Undefined: no metrics. */
  readonly metricsListen: HostPort | undefined;
  readonly defaultCurrency: string;
  readonly inlineDays: number;
  readonly searchKeys: readonly string[];
  /** Undefined: no mail. */
  readonly smtp: ReturnType<typeof smtpOf>;
  /** Whether events reach the queue of statement lines in bundles, where a broker is between. */
  readonly isBundlingOn: boolean;
  /** Whether unary calls are answered without the gRPC library. */
  readonly isUnaryFastPathOn: boolean;
  readonly isSignUpOpen: boolean;
  /** True where sign-up is open by default, and for programs on this machine only. */
  readonly isSignUpLocal: boolean;
  readonly isStaffTotpRequired: boolean;
  /** What customers may do by themselves. */
  readonly selfServiceOperations: ReadonlySet<Operation>;
  /** The same for requests that come straight from programs on this machine. */
  readonly localOperations: ReadonlySet<Operation>;
  readonly isPlaintextAllowed: boolean;
  readonly tlsFiles: TlsFileNames;
  /** Addresses and ranges whose `x-forwarded-for` is believed. */
  readonly trustedProxies: readonly string[];
  readonly isUnsafeDurabilityAllowed: boolean;
  readonly logLevel: LogLevel;
};

export type ConfigOutcome =
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly faults: readonly string[] };

/** What customers may do by default on a system of one's own (contracts: closed defaults). */
const closedOperations = 'withdraw,purchase,cancellation';
/** Variables that are read, and are no settings. */
export type Environment = RawConfig & {
  readonly XDG_DATA_HOME?: string;
  /** Of the system that this one takes after. */
  readonly MAIL_HOST?: string;
};

/** First step: what the environment says, nothing judged yet. */
export function readEnvironment(): Environment {
  return process.env;
}

/**
 * Removes the owners' URLs from the environment and from a configuration, once all is migrated: a
 * daemon that runs has no use for them. The system still shows the environment of the start.
 */
export function forgetOwners({ databases, ownerSettings }: Config): void {
  for (const name of ownerSettings) Reflect.deleteProperty(process.env, name);
  for (const urls of Object.values(databases ?? {})) {
    (urls as { ownerUrl: string }).ownerUrl = urls.url;
  }
}

/**
 * Second step: raw texts to a configuration, or every fault at once. For `databases` alone what is
 * missing for other work is no fault.
 */
export function parseConfig(raw: Environment, scope: 'all' | 'databases' = 'all'): ConfigOutcome {
  const texts = Object.fromEntries(
    Object.entries(settings).map(([name, [, fallback]]) => {
      const given = raw[name as SettingName]?.trim() ?? '';
      return [name, given === '' ? fallback : given];
    }),
  );
  const parsed = schema.safeParse(texts);
  const foreign = findForeignMail(raw, texts);
  if (!parsed.success)
    return { ok: false, faults: [...listFaults(texts, parsed.error), ...foreign] };
  const faults = [...findContradictions(parsed.data), ...foreign].filter(
    (fault) => scope === 'all' || /^[A-Z_]+_DATABASE_URL:/.test(fault),
  );
  if (faults.length > 0) return { ok: false, faults };
  return { ok: true, config: toConfig(parsed.data, raw.XDG_DATA_HOME) };
}

/** The faulty settings, and what the others contradict, as if the faulty ones were not set. */
function listFaults(texts: Readonly<Record<string, string>>, error: z.ZodError): string[] {
  const byName = new Map(error.issues.map(({ path, message }) => [String(path[0]), message]));
  const fallbacks = [...byName.keys()].map((name) => [name, settings[name as SettingName][1]]);
  const others = schema.safeParse({ ...texts, ...Object.fromEntries(fallbacks) });
  const contradictions = others.success ? findContradictions(others.data) : [];
  return [
    ...[...byName].map(([name, message]) => `${name}: ${message}`),
    ...contradictions.filter((fault) => !byName.has(fault.slice(0, fault.indexOf(':')))),
  ];
}

function findContradictions(parsed: Parsed): string[] {
  const faults: string[] = [];
  const isOwn = usesOwnDatabases(parsed);
  const hosted = hostedServices(parsed);
  for (const name of serviceNames) {
    const upper = name.toUpperCase() as Uppercase<ServiceName>;
    const variable = `${upper}_DATABASE_URL` as const;
    if (isOwn && hosted.includes(name) && parsed[variable] === undefined) {
      faults.push(`${variable}: is missing, while another database URL is given`);
    }
    if (parsed[variable] === undefined && parsed[`${upper}_MIGRATION_DATABASE_URL`] !== undefined) {
      faults.push(`${upper}_MIGRATION_DATABASE_URL: is given without ${variable}`);
    }
  }
  faults.push(...findPeerContradictions(parsed), ...findLedgerContradictions(parsed));
  const isSplit = hosted.includes('wallet') !== hosted.includes('statement');
  if (isSplit && parsed.RABBITMQ_URL === undefined) {
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
  return [...faults, ...findMailContradictions(parsed), ...findTlsContradictions(parsed)];
}

function findTlsContradictions(parsed: Parsed): string[] {
  const faults: string[] = [];
  const { TLS_CERT_FILE: cert, TLS_KEY_FILE: key, WALLETD_METRICS_LISTEN: metrics } = parsed;
  const { WALLETD_HTTP_LISTEN: http } = parsed;
  if (cert === undefined && key !== undefined) {
    faults.push('TLS_CERT_FILE: is missing, while TLS_KEY_FILE is given');
  }
  if (cert !== undefined && key === undefined) {
    faults.push('TLS_KEY_FILE: is missing, while TLS_CERT_FILE is given');
  }
  if (cert === undefined && parsed.TLS_CLIENT_CA_FILE !== undefined) {
    faults.push('TLS_CLIENT_CA_FILE: is given without TLS_CERT_FILE and TLS_KEY_FILE');
  }
  if (parsed.WALLETD_ALLOW_PLAINTEXT) return faults;
  if (cert === undefined && !isLoopback(parsed.WALLETD_LISTEN.host)) {
    faults.push(
      'WALLETD_LISTEN: is reachable from outside without TLS; give TLS_CERT_FILE and ' +
        'TLS_KEY_FILE, or put a TLS proxy in front and set WALLETD_ALLOW_PLAINTEXT=1, or listen ' +
        'on 127.0.0.1',
    );
  }
  if (cert === undefined && http !== undefined && !isLoopback(http.host)) {
    faults.push(
      'WALLETD_HTTP_LISTEN: is reachable from outside without TLS; give TLS_CERT_FILE and ' +
        'TLS_KEY_FILE, or put a TLS proxy in front and set WALLETD_ALLOW_PLAINTEXT=1, or listen ' +
        'on 127.0.0.1',
    );
  }
  if (metrics !== undefined && !isLoopback(metrics.host)) {
    faults.push(
      'WALLETD_METRICS_LISTEN: is reachable from outside, and has no TLS; listen on 127.0.0.1, ' +
        'or set WALLETD_ALLOW_PLAINTEXT=1 on a network that you trust',
    );
  }
  return faults;
}

const hostedServices = ({ WALLETD_SERVICES: parts }: Parsed): ServiceName[] =>
  serviceNames.filter((name) => parts.includes(name));

function httpOf(parsed: Parsed): Config['http'] {
  const { WALLETD_HTTP_LISTEN: listen, HTTP_ALLOWED_HOSTS: allowed } = parsed;
  if (!listen || !parsed.WALLETD_SERVICES.includes('gateway')) return undefined;
  const own = ['localhost', '127.0.0.1', '[::1]', listen.host];
  return { listen, allowedHosts: [...own, ...allowed], corsOrigins: parsed.HTTP_CORS_ORIGINS };
}

function toConfig(parsed: Parsed, xdgDataHome: string | undefined): Config {
  const isOwn = usesOwnDatabases(parsed);
  // Open to try it out only where no other host can connect: our own database, and loopback. Even
  // then a proxy may forward requests of others, which do not count as local.
  const isOpen = !isOwn && isLoopback(parsed.WALLETD_LISTEN.host);
  const asked = parsed.SELF_SERVICE_OPERATIONS;
  const closed = asked.length > 0 ? asked : listOf(closedOperations);
  const local = isOpen && asked.length === 0 ? [...selfServiceOperations] : closed;
  return {
    listen: parsed.WALLETD_LISTEN,
    services: hostedServices(parsed),
    http: httpOf(parsed),
    databases: isOwn ? databasesOf(parsed) : undefined,
    databaseConnections: parsed.DATABASE_CONNECTIONS,
    ownerSettings: ownersIn(parsed),
    dataDir: parsed.WALLETD_DATA_DIR,
    home: { ...findHome(), ...(xdgDataHome ? { xdgDataHome } : {}) },
    user: parsed.WALLETD_USER,
    shouldMigrate: shouldMigrate(parsed),
    peerAddresses: addressesOf(parsed),
    serviceCredentialFile: parsed.WALLETD_SERVICE_CREDENTIAL_FILE,
    signingKeyFile: parsed.AUTH_SIGNING_KEY_FILE,
    previousKeyFile: parsed.AUTH_PREVIOUS_KEY_FILE,
    checkpointKeyFile: parsed.CHECKPOINT_KEY_FILE,
    checkpointMinutes: parsed.CHECKPOINT_MINUTES,
    checkpointFile: parsed.CHECKPOINT_FILE,
    rabbitmqUrl: parsed.RABBITMQ_URL,
    walletQueue: parsed.WALLET_QUEUE,
    statementQueue: parsed.STATEMENT_QUEUE,
    exportQueue: parsed.STATEMENT_EXPORT_QUEUE,
    exportRetentionDays: parsed.EXPORT_RETENTION_DAYS,
    amqpOperations: new Set(parsed.AMQP_OPERATIONS.filter(isOperation)),
    outboxLimit: parsed.OUTBOX_LIMIT,
    ...toLedgerConfig(parsed),
    metricsListen: parsed.WALLETD_METRICS_LISTEN,
    defaultCurrency: parsed.WALLET_CURRENCY,
    inlineDays: parsed.STATEMENT_INLINE_DAYS,
    searchKeys: parsed.SEARCH_KEYS,
    smtp: smtpOf(parsed),
    isBundlingOn: parsed.STATEMENT_BUNDLES === 'on',
    isUnaryFastPathOn: parsed.WALLETD_UNARY_FAST_PATH === 'on',
    isSignUpOpen: parsed.SIGN_UP === '' ? isOpen : parsed.SIGN_UP === 'open',
    isSignUpLocal: parsed.SIGN_UP === '' && isOpen,
    selfServiceOperations: new Set(closed.filter(isOperation)),
    localOperations: new Set(local.filter(isOperation)),
    isStaffTotpRequired: parsed.STAFF_TOTP === 'required',
    isPlaintextAllowed: parsed.WALLETD_ALLOW_PLAINTEXT,
    tlsFiles: {
      cert: parsed.TLS_CERT_FILE,
      key: parsed.TLS_KEY_FILE,
      clientCa: parsed.TLS_CLIENT_CA_FILE,
      peerCa: parsed.PEER_CA_FILE,
    },
    trustedProxies: parsed.TRUSTED_PROXIES,
    isUnsafeDurabilityAllowed: parsed.WALLETD_ALLOW_UNSAFE_DURABILITY,
    logLevel: parsed.LOG_LEVEL,
  };
}
