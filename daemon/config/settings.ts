import { z } from 'zod';

import { findExponent, isWithdrawn } from '../../core/currencies.ts';
import { referenceKey } from '../../core/json/metadata.ts';
import {
  isMessageOperation,
  isSelfService,
  messageOperations,
  numberedOperations,
  selfServiceOperations,
} from '../../core/operations.ts';
import { isAddressOrRange, loopback } from '../platform/grpc/ingress/source.ts';
import { parseSender, parseSmtpUrl } from '../platform/mail/settings.ts';
import { ledgerSchema, ledgerSettings } from './ledger-settings.ts';
import {
  flag,
  hostPort,
  listOf,
  optional,
  peerUrl,
  postgresUrl,
  queueName,
  rabbitmqUrl,
  type HostPort,
} from './setting-types.ts';

export const serviceNames = ['auth', 'wallet', 'statement'] as const;
export type ServiceName = (typeof serviceNames)[number];
/** What a process may host: the services, and the HTTP gateway before them. */
const partNames = [...serviceNames, 'gateway'] as const;

/** Every setting: its variable, its help text, and its default. */
export const settings = {
  WALLETD_LISTEN: ['HOST:PORT for gRPC; port 0 selects a free one', '127.0.0.1:50051'],
  WALLETD_SERVICES: ['services to host, and gateway for HTTP', partNames.join(',')],
  WALLETD_HTTP_LISTEN: ['HOST:PORT for HTTP, or off', '127.0.0.1:3000'],
  HTTP_ALLOWED_HOSTS: [
    'names by which browsers may address the gateway; default: loopback and the listener’s own',
    '',
  ],
  HTTP_CORS_ORIGINS: ['origins whose pages may read answers under /v1, by a bearer token', ''],
  WALLETD_DATA_DIR: ['folder of the embedded Postgres and its keys', ''],
  WALLETD_USER: ['user to run as when started as root, or root (default digital-wallet)', ''],
  AUTH_DATABASE_URL: ['URL of the auth database, as the role that reads and writes it', ''],
  WALLET_DATABASE_URL: ['the wallet database, likewise', ''],
  STATEMENT_DATABASE_URL: ['the statement database, likewise', ''],
  AUTH_MIGRATION_DATABASE_URL: ['URL of the auth database, as the role that owns it', ''],
  WALLET_MIGRATION_DATABASE_URL: ['the wallet database, likewise', ''],
  STATEMENT_MIGRATION_DATABASE_URL: ['the statement database, likewise', ''],
  DATABASE_CONNECTIONS: ['connections that each hosted service may open to its database', '16'],
  WALLETD_MIGRATE: [
    'on or off: bring the schemas up to date at start (default off without a migration URL)',
    '',
  ],
  AUTH_SERVICE_URL: [
    'HOST:PORT or https://HOST:PORT of the auth service, where it is not hosted here',
    '',
  ],
  WALLET_SERVICE_URL: ['HOST:PORT or https://HOST:PORT of the wallet service, likewise', ''],
  STATEMENT_SERVICE_URL: [
    'HOST:PORT of the statement service, likewise; only the gateway asks it',
    '',
  ],
  WALLETD_SERVICE_CREDENTIAL_FILE: ['a file with the secret that the services share', ''],
  AUTH_SIGNING_KEY_FILE: ['an Ed25519 key (PKCS #8, PEM) that signs access tokens', ''],
  AUTH_PREVIOUS_KEY_FILE: ['a previous signing key; its tokens are accepted until they expire', ''],
  CHECKPOINT_KEY_FILE: [
    'an Ed25519 key (PKCS #8, PEM) that signs checkpoints of the ledger; without one none are taken',
    '',
  ],
  CHECKPOINT_MINUTES: ['minutes from one checkpoint to the next', '60'],
  CHECKPOINT_FILE: ['a file to which each checkpoint is appended', ''],
  RABBITMQ_URL: [
    'amqp://user:password@host/vhost, or several with commas; default: events stay in this process',
    '',
  ],
  WALLET_QUEUE: ['queue of requested transactions', 'wallet_queue'],
  AMQP_OPERATIONS: ['operations that messages may request', numberedOperations.join(',')],
  OUTBOX_LIMIT: ['events that may wait in the outbox before calls are refused', '1000000'],
  ...ledgerSettings,
  WALLETD_METRICS_LISTEN: ['HOST:PORT for metrics and health over HTTP, or off', '127.0.0.1:9464'],
  STATEMENT_QUEUE: ['queue of statement lines to write', 'statement_queue'],
  STATEMENT_BUNDLES: ['on or off: send many events to that queue in one message', 'on'],
  STATEMENT_EXPORT_QUEUE: ['queue of exports to write', 'statement_export_queue'],
  WALLET_CURRENCY: ['currency of requests that name none', 'BRL'],
  STATEMENT_INLINE_DAYS: ['days of the longest statement that is answered directly', '15'],
  SEARCH_KEYS: ['keys of metadata by which statement lines can be searched', referenceKey],
  EXPORT_RETENTION_DAYS: ['days that the files of exports are kept', '30'],
  SMTP_URL: ['smtp:// or smtps://user:password@host:port, for mail; default: no mail is sent', ''],
  MAIL_FROM: ['sender of mail, like Wallet <wallet@example.com>', ''],
  SMTP_CA_FILE: ['certificates (PEM) trusted for SMTP instead of the system ones', ''],
  WALLETD_UNARY_FAST_PATH: [
    'on or off: answer unary calls without the gRPC library, which costs half as much',
    'on',
  ],
  SIGN_UP: ['open or closed: whether people may open an account themselves', ''],
  SELF_SERVICE_OPERATIONS: ['operations that customers may perform themselves', ''],
  STAFF_TOTP: [
    'optional or required: whether operators and admins need a second factor',
    'optional',
  ],
  TLS_CERT_FILE: [
    'the certificate chain (PEM) for TLS on WALLETD_LISTEN and WALLETD_HTTP_LISTEN',
    '',
  ],
  TLS_KEY_FILE: ['its private key (PEM)', ''],
  TLS_CLIENT_CA_FILE: ['authorities (PEM); clients must present a certificate of one of them', ''],
  PEER_CA_FILE: ['authorities (PEM) of peer services behind https://', ''],
  TRUSTED_PROXIES: ['addresses or ranges of proxies whose x-forwarded-for is trusted', ''],
  WALLETD_ALLOW_PLAINTEXT: ['1 allows listening beyond loopback without TLS', ''],
  WALLETD_ALLOW_UNSAFE_DURABILITY: ['1 allows a database that may lose commits; for tests', ''],
  LOG_LEVEL: ['trace, debug, info, warn, error or silent', 'info'],
} as const satisfies Readonly<Record<string, readonly [string, string]>>;

export type SettingName = keyof typeof settings;
export type RawConfig = Readonly<Partial<Record<SettingName, string>>>;

/** Parses each setting by itself: a value, or what it must be. */
export const schema = z.object({
  WALLETD_LISTEN: hostPort,
  WALLETD_SERVICES: z
    .string()
    .transform(listOf)
    .transform((names) => [...new Set(names)])
    .pipe(
      z
        .array(z.enum(partNames, `must name some of ${partNames.join(', ')}`))
        .min(1, `must name some of ${partNames.join(', ')}`),
    ),
  WALLETD_DATA_DIR: optional,
  WALLETD_USER: optional,
  AUTH_DATABASE_URL: postgresUrl,
  WALLET_DATABASE_URL: postgresUrl,
  STATEMENT_DATABASE_URL: postgresUrl,
  AUTH_MIGRATION_DATABASE_URL: postgresUrl,
  WALLET_MIGRATION_DATABASE_URL: postgresUrl,
  STATEMENT_MIGRATION_DATABASE_URL: postgresUrl,
  DATABASE_CONNECTIONS: z
    .string()
    .regex(/^([1-9]\d{1,2}|1000)$/, 'must be a number of connections from 10 to 1000')
    .transform(Number),
  WALLETD_MIGRATE: z.enum(['', 'on', 'off'], 'must be on or off'),
  AUTH_SERVICE_URL: peerUrl,
  WALLET_SERVICE_URL: peerUrl,
  STATEMENT_SERVICE_URL: peerUrl,
  WALLETD_SERVICE_CREDENTIAL_FILE: optional,
  AUTH_SIGNING_KEY_FILE: optional,
  AUTH_PREVIOUS_KEY_FILE: optional,
  CHECKPOINT_KEY_FILE: optional,
  CHECKPOINT_MINUTES: z
    .string()
    .regex(
      /^([1-9]\d{0,2}|1[0-3]\d\d|14[0-3]\d|1440)$/,
      'must be a number of minutes from 1 to 1440',
    )
    .transform(Number),
  CHECKPOINT_FILE: optional,
  RABBITMQ_URL: rabbitmqUrl,
  WALLET_QUEUE: queueName,
  AMQP_OPERATIONS: z
    .string()
    .transform(listOf)
    .refine(
      (names) => names.join() === 'none' || names.every(isMessageOperation),
      `must name some of ${messageOperations.join(', ')}, or be none`,
    ),
  OUTBOX_LIMIT: z
    .string()
    .regex(/^[1-9]\d{0,9}$/, 'must be a number of events above 0')
    .transform(Number),
  ...ledgerSchema,
  WALLETD_HTTP_LISTEN: z.union([z.literal('off').transform(() => undefined), hostPort]),
  HTTP_ALLOWED_HOSTS: z
    .string()
    .transform(listOf)
    .refine(
      (names) =>
        names.every((name) =>
          /^[A-Za-z0-9.-]+(:\d{1,5})?$|^\[[0-9a-f:]+\](:\d{1,5})?$/i.test(name),
        ),
      'must be a list of host names, like wallet.example.com',
    ),
  HTTP_CORS_ORIGINS: z
    .string()
    .transform(listOf)
    .refine(
      (origins) => origins.every((one) => URL.canParse(one) && new URL(one).origin === one),
      'must be a list of origins, like https://app.example.com',
    ),
  WALLETD_METRICS_LISTEN: z.union([z.literal('off').transform(() => undefined), hostPort]),
  STATEMENT_QUEUE: queueName,
  STATEMENT_EXPORT_QUEUE: queueName,
  WALLET_CURRENCY: z
    .string()
    .refine(
      (code) => findExponent(code) !== undefined && !isWithdrawn(code),
      'must be a code of ISO 4217, like BRL',
    ),
  STATEMENT_INLINE_DAYS: z
    .string()
    .regex(/^([1-9]\d?|[12]\d\d|3[0-5]\d|36[0-6])$/, 'must be a number of days from 1 to 366')
    .transform(Number),
  SEARCH_KEYS: z
    .string()
    .transform(listOf)
    .transform((keys) => (keys.join() === 'none' ? [] : [...new Set(keys)]))
    .refine(
      (keys) => keys.length <= 16 && keys.every((key) => /^[\w.-]{1,64}$/.test(key)),
      'must be up to 16 keys of letters, digits, "_", "." and "-", or none',
    ),
  EXPORT_RETENTION_DAYS: z
    .string()
    .regex(/^[1-9]\d{0,2}$/, 'must be a number of days from 1 to 999')
    .transform(Number),
  SMTP_URL: optional.refine(
    (text) => text === undefined || parseSmtpUrl(text) !== undefined,
    'must be a URL like smtp://user:password@host:587 or smtps://user:password@host',
  ),
  MAIL_FROM: optional.refine(
    (text) => text === undefined || parseSender(text) !== undefined,
    'must be an address, like wallet@example.com or Wallet <wallet@example.com>',
  ),
  SMTP_CA_FILE: optional,
  STATEMENT_BUNDLES: z.enum(['on', 'off'], 'must be on or off'),
  WALLETD_UNARY_FAST_PATH: z.enum(['on', 'off'], 'must be on or off'),
  SIGN_UP: z.enum(['', 'open', 'closed'], 'must be open or closed'),
  SELF_SERVICE_OPERATIONS: z
    .string()
    .transform(listOf)
    .refine(
      (names) => names.join() === 'none' || names.every(isSelfService),
      `must name some of ${selfServiceOperations.join(', ')}, or be none`,
    ),
  STAFF_TOTP: z.enum(['optional', 'required'], 'must be optional or required'),
  TLS_CERT_FILE: optional,
  TLS_KEY_FILE: optional,
  TLS_CLIENT_CA_FILE: optional,
  PEER_CA_FILE: optional,
  TRUSTED_PROXIES: z
    .string()
    .transform(listOf)
    .refine(
      (entries) => entries.every(isAddressOrRange),
      'must be a list of addresses or ranges, like 10.0.0.7,fd00::/8',
    ),
  WALLETD_ALLOW_PLAINTEXT: flag,
  WALLETD_ALLOW_UNSAFE_DURABILITY: flag,
  LOG_LEVEL: z.enum(
    ['trace', 'debug', 'info', 'warn', 'error', 'silent'],
    'must be trace, debug, info, warn, error or silent',
  ),
});

export type Parsed = z.output<typeof schema>;

export const formatHostPort = ({ host, port }: HostPort): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;

/** True for addresses that only this machine can reach. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || loopback.has(host);
}
