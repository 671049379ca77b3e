/** How the traffic to a database is encrypted, and what is verified: libpq's names and meanings. */
export type SslMode = 'disable' | 'allow' | 'prefer' | 'require' | 'verify-ca' | 'verify-full';

export type DatabaseHost = {
  /** A name, an address, or the folder of a Unix socket; undefined: the default of the driver. */
  readonly host: string | undefined;
  readonly port: number;
};

/** What a database URL says, with the names that libpq gives to its parts. */
export type DatabaseUrl = {
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly database: string | undefined;
  /** In the order in which they are tried. */
  readonly hosts: readonly DatabaseHost[];
  /** Undefined: `prefer`, as libpq has it, and `allow` on this machine. */
  readonly sslMode: SslMode | undefined;
  readonly sslRootCert: string | undefined;
  readonly sslCert: string | undefined;
  readonly sslKey: string | undefined;
  readonly sslPassword: string | undefined;
  /** Which servers will do: all, those that take writes, or those that are not in recovery. */
  readonly target: 'any' | 'read-write' | 'primary';
  readonly connectTimeoutMs: number | undefined;
  readonly applicationName: string | undefined;
  readonly options: string | undefined;
};

export type ParsedUrl =
  | { readonly ok: true; readonly value: DatabaseUrl }
  /** What is wrong, without any secret. */
  | { readonly ok: false; readonly problem: string };

const maxHosts = 8;
const defaultPort = 5_432;
const maxConnectTimeoutSeconds = 60;
const example = 'must be a URL like postgres://user:password@host/database';

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;

/** Parameters with one meaning here: what asks for another must not pass unnoticed. */
const fixed: Readonly<Record<string, readonly string[]>> = {
  client_encoding: ['UTF8', 'utf8', 'UTF-8', 'utf-8', 'auto'],
  channel_binding: ['disable', 'prefer'],
  gssencmode: ['disable', 'prefer'],
  load_balance_hosts: ['disable'],
  sslnegotiation: ['postgres'],
  uselibpqcompat: ['true'],
};

const known = [
  ...['user', 'password', 'host', 'port', 'dbname', 'application_name', 'options', 'ssl'],
  ...['sslmode', 'sslrootcert', 'sslcert', 'sslkey', 'sslpassword'],
  ...['target_session_attrs', 'connect_timeout', ...Object.keys(fixed)],
];

/** Thrown within this file only. */
class Unfit extends Error {}

const refuse = (problem: string): never => {
  throw new Unfit(problem);
};

/**
 * Reads a URL of libpq's form, which may name several hosts:
 * `postgres://user:password@host1:5432,host2:5433/database?target_session_attrs=read-write`.
 */
export function parseDatabaseUrl(text: string): ParsedUrl {
  try {
    return { ok: true, value: read(text) };
  } catch (err) {
    if (err instanceof Unfit) return { ok: false, problem: err.message };
    throw err;
  }
}

function read(text: string): DatabaseUrl {
  const match =
    /^postgres(?:ql)?:\/\/(?:([^/?#]*)@)?([^/?#@]*)(?:\/([^/?#]*))?(?:\?([^#]*))?$/.exec(text);
  if (!match || /\s/.test(text)) return refuse(example);
  const [, login = '', authority = '', path = '', query = ''] = match;
  const params = readParams(query);
  const colon = login.indexOf(':');
  const user = colon < 0 ? login : login.slice(0, colon);
  const password = colon < 0 ? '' : login.slice(colon + 1);
  const hosts = readHosts(authority, params);
  return {
    user: params.get('user') ?? unescape(user),
    password: params.get('password') ?? unescape(password),
    database: params.get('dbname') ?? unescape(path),
    hosts,
    ...readSsl(params),
    target: readTarget(params.get('target_session_attrs'), hosts.length),
    connectTimeoutMs: readTimeout(params.get('connect_timeout')),
    applicationName: params.get('application_name'),
    options: params.get('options'),
  };
}

function unescape(text: string): string | undefined {
  if (text === '') return undefined;
  let decoded: string;
  try {
    decoded = decodeURIComponent(text);
  } catch {
    return refuse('has a "%" that begins no escaped character of UTF-8; write %25 for "%"');
  }
  return decoded.includes('\0') ? refuse('has a NUL (%00) in it') : decoded;
}

function readParams(query: string): ReadonlyMap<string, string> {
  const params = new Map<string, string>();
  for (const part of query.split('&').filter((text) => text !== '')) {
    const [name = '', value = ''] = part.split(/=(.*)/s).map((text) => unescape(text) ?? '');
    if (!known.includes(name)) {
      const safe = /^\w{1,40}$/.test(name) ? ` "${name}"` : '';
      refuse(`has an unknown parameter${safe}; known are ${known.join(', ')}`);
    }
    if (params.has(name)) refuse(`has ${name} twice`);
    const allowed = fixed[name];
    if (allowed && !allowed.includes(value)) refuse(`${name} can only be ${allowed.join(' or ')}`);
    if (value !== '') params.set(name, value);
  }
  return params;
}

/** Hosts and ports given as parameters count instead of those before the path, as with libpq. */
function readHosts(authority: string, params: ReadonlyMap<string, string>): DatabaseHost[] {
  const inPath = authority.split(',').map((part) => {
    const match = /^(?:\[([0-9a-fA-F:.%]+)\]|([^:[\]]*))(?::(\d*))?$/.exec(part);
    if (!match) return refuse('must name its hosts as HOST, HOST:PORT or [ADDRESS]:PORT');
    return { host: unescape(match[1] ?? match[2] ?? ''), port: match[3] ?? '' };
  });
  const named = params.get('host')?.split(',');
  const names = named ?? inPath.map(({ host }) => host);
  const ports = params.get('port')?.split(',') ?? (named ? [''] : inPath.map(({ port }) => port));
  if (names.length > maxHosts) refuse(`names ${names.length} hosts; at most ${maxHosts} are tried`);
  if (names.length > 1 && names.some((name) => name === undefined || name === '')) {
    refuse('has an empty place in its list of hosts');
  }
  if (ports.length !== 1 && ports.length !== names.length) {
    refuse(`has ${ports.length} ports for ${names.length} hosts; give one, or one for each`);
  }
  return names.map((host, i) => ({ host, port: readPort(ports[i] ?? ports[0] ?? '') }));
}

function readPort(text: string): number {
  if (text === '') return defaultPort;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return port >= 1 && port <= 65_535 ? port : refuse('has a port that is not from 1 to 65535');
}

function readTarget(text: string | undefined, hostCount: number): DatabaseUrl['target'] {
  // A standby is of no use to a daemon that writes: of several hosts, one that takes writes.
  if (text === undefined) return hostCount > 1 ? 'read-write' : 'any';
  if (text === 'any' || text === 'read-write' || text === 'primary') return text;
  return refuse('target_session_attrs must be read-write, primary or any');
}

function readTimeout(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  const isFit = seconds >= 1 && seconds <= maxConnectTimeoutSeconds;
  if (!isFit) refuse(`connect_timeout must be 1 to ${maxConnectTimeoutSeconds} seconds`);
  return seconds * 1_000;
}

type Ssl = Pick<DatabaseUrl, 'sslMode' | 'sslRootCert' | 'sslCert' | 'sslKey' | 'sslPassword'>;

function readSsl(params: ReadonlyMap<string, string>): Ssl {
  const sslRootCert = params.get('sslrootcert');
  const [sslCert, sslKey] = [params.get('sslcert'), params.get('sslkey')];
  const ssl = params.get('ssl');
  if (ssl !== undefined && ssl !== 'true') refuse('ssl can only be true; use sslmode instead');
  const given = params.get('sslmode') ?? (ssl && 'require');
  const sslMode = sslModes.find((mode) => mode === given);
  if (given !== undefined && !sslMode) refuse(`sslmode must be one of ${sslModes.join(', ')}`);
  if ((sslCert === undefined) !== (sslKey === undefined)) {
    refuse('must have both sslcert and sslkey, or neither');
  }
  if (sslMode === 'verify-ca' && sslRootCert === undefined) {
    refuse('sslmode=verify-ca needs sslrootcert, a file with the authority to trust');
  }
  if (sslRootCert === 'system' && sslMode !== undefined && sslMode !== 'verify-full') {
    refuse('sslrootcert=system needs sslmode=verify-full: anyone can get such a certificate');
  }
  return {
    sslMode: sslRootCert === 'system' ? 'verify-full' : sslMode,
    sslRootCert,
    ...{ sslCert, sslKey, sslPassword: params.get('sslpassword') },
  };
}
