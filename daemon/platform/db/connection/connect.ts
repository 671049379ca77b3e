import pg from 'pg';

import {
  findConnectionFault,
  markUnconnected,
  toFaultError,
  type ConnectionFault,
} from './connection-fault.ts';
import { parseDatabaseUrl, type DatabaseUrl } from './database-url.ts';
import { findPooling } from './pooler.ts';
import { describePooling, prepareSession, type SessionSettings } from './session.ts';
import { chooseEncryptions, type Encryption } from './tls.ts';

export type ConnectOptions = {
  readonly url: string;
  readonly name: string;
  readonly settings: SessionSettings;
  /** What of the driver's own settings is wanted besides. */
  readonly driver?: pg.ClientConfig;
};

/** One way to a database: a host, in the clear or encrypted. */
type Target = {
  readonly label: string;
  readonly host: string | undefined;
  readonly port: number;
  readonly ssl: Encryption;
};

/** Why a way did not lead there. */
type Failure = { readonly err: Error; readonly target: Target };

/** The ways to a database, and the one that was last found to work. */
export type Route = {
  readonly connectTimeoutMs: number;
  /** A client of the present way, which is set up and checked once it is connected. */
  create(): pg.Client;
  /** Tries the ways in turn until `open` succeeds; rejects with what was wrong with each. */
  tryAll<T>(open: () => Promise<T>): Promise<T>;
};

const connectTimeoutMs = 5_000;
/** With several hosts: one without an answer must not use up the time of a call. */
const connectTimeoutOfSeveralMs = 3_000;
const helperTimeoutMs = 1_500;

/** Throws a fault where the URL, or a file that it names, cannot be used. */
export function createRoute(options: ConnectOptions): Route {
  const parsed = parseDatabaseUrl(options.url);
  if (!parsed.ok) {
    throw toFaultError({ fault: `the database URL ${parsed.problem}`, hint: 'correct the URL' });
  }
  const url = parsed.value;
  const targets = findTargets(url);
  const usual = url.hosts.length > 1 ? connectTimeoutOfSeveralMs : connectTimeoutMs;
  const timeoutMs = url.connectTimeoutMs ?? usual;
  const check = createPoolingCheck();
  const problems = new WeakMap<Error, Target>();
  let current = 0;

  const create = (): pg.Client => {
    const target = targets[current] as Target;
    const client = openClient(options, url, target, timeoutMs);
    const connect = client.connect.bind(client) as () => Promise<unknown>;
    const connectChecked = async (): Promise<void> => {
      try {
        await connect();
        const pid = await prepareSession(client, options.settings, url.target);
        const openHelper = () => openHelperClient(options, url, target);
        await check(client, pid, openHelper);
      } catch (cause) {
        const err = cause instanceof Error ? cause : new Error('not connected', { cause });
        problems.set(err, target);
        if (targets[current] === target) current = (current + 1) % targets.length;
        client.end().catch(() => undefined);
        throw markUnconnected(err);
      }
    };
    client.connect = ((callback?: (err: Error | null) => void) => {
      const connecting = connectChecked();
      if (!callback) return connecting;
      return void connecting.then(
        () => callback(null),
        (err: unknown) => callback(err as Error),
      );
    }) as typeof client.connect;
    return client;
  };

  /** The pool wraps what its own time-out ended. */
  const findFailure = (err: unknown): Failure | undefined => {
    if (!(err instanceof Error)) return undefined;
    const target = problems.get(err) ?? problems.get(err.cause as Error);
    return target && { err, target };
  };

  return {
    connectTimeoutMs: timeoutMs,
    create,
    tryAll: async (open) => {
      const failed: Failure[] = [];
      for (;;) {
        try {
          return await open();
        } catch (err) {
          // The wait for a place among the connections says nothing about a way.
          const failure = findFailure(err);
          if (!failure) throw err;
          failed.push(failure);
          if (failed.length >= targets.length) throw summarize(failed);
        }
      }
    },
  };
}

/** Why a URL, or a file that it names, cannot be used; connects to nothing. */
export function findUrlFault(url: string): ConnectionFault | undefined {
  try {
    createRoute({ url, name: 'check', settings: {} });
    return undefined;
  } catch (err) {
    const fault = findConnectionFault(err);
    if (fault) return fault;
    throw err;
  }
}

/** A connection of its own, set up and checked. */
export function connectAlone(options: ConnectOptions): Promise<pg.Client> {
  const route = createRoute(options);
  return route.tryAll(async () => {
    const client = route.create();
    await client.connect();
    return client;
  });
}

function findTargets(url: DatabaseUrl): Target[] {
  return url.hosts.flatMap((place) =>
    chooseEncryptions(url, place).map((ssl) => ({
      label: `${place.host ?? 'localhost'}:${place.port}`,
      ...place,
      ssl,
    })),
  );
}

function openClient(
  { name, driver }: ConnectOptions,
  url: DatabaseUrl,
  { host, port, ssl }: Target,
  timeoutMs: number,
): pg.Client {
  const client = new pg.Client({
    ...driver,
    user: url.user,
    password: url.password,
    database: url.database,
    ...{ host, port, options: url.options },
    // A copy: the driver changes it.
    ssl: ssl === false ? false : { ...ssl },
    application_name: url.applicationName ?? `walletd ${name}`,
    connectionTimeoutMillis: timeoutMs,
    keepAlive: true,
    pipeline: true,
  });
  // Users of the client see it in what fails; without a listener the process would end.
  client.on('error', () => undefined);
  return client;
}

async function openHelperClient(options: ConnectOptions, url: DatabaseUrl, target: Target) {
  const driver = { ...options.driver, query_timeout: helperTimeoutMs };
  const client = openClient({ ...options, driver }, url, target, helperTimeoutMs);
  await client.connect();
  return client;
}

type Helper = () => Promise<pg.Client>;

/**
 * Looks whether a pooler shares connections: with each new one, since its mode may be changed under
 * a daemon that runs. A connection straight to the server is known by its process id, which a
 * pooler does not know when it lets a client in; such a one costs nothing here.
 */
function createPoolingCheck() {
  let checking: Promise<'transaction' | 'statement' | undefined> | undefined;
  return async (client: pg.Client, pid: number, openHelper: Helper): Promise<void> => {
    if ((client as pg.Client & { processID?: number }).processID === pid) return;
    checking ??= findPooling(client, pid, openHelper).finally(() => (checking = undefined));
    const mode = await checking;
    if (mode) throw toFaultError(describePooling(mode));
  };
}

/** One error for all the ways that were tried; a host that failed twice likewise is named once. */
function summarize(failed: readonly Failure[]): Error {
  const [first] = failed;
  if (first && failed.length === 1) return markUnconnected(first.err);
  const texts = new Set(failed.map(({ err, target }) => `${target.label}: ${describe(err)}`));
  // A server's own refusal explains more than a network error, or an encryption that it lacks.
  const cause = (failed.findLast(({ err }) => 'severity' in err) ?? failed.at(-1))?.err;
  const hint = failed.map(({ err }) => findConnectionFault(err)?.hint).findLast((text) => text);
  const fault = [...texts].join('; ');
  const err = hint ? toFaultError({ fault, hint }, cause) : new Error(fault, { cause });
  return markUnconnected(err);
}

const describe = (err: Error): string =>
  findConnectionFault(err)?.fault ?? (err.message || ('code' in err ? String(err.code) : err.name));
