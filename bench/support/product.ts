import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { hash } from '@node-rs/argon2';

import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { startWalletd, type Daemon } from '../../scripts/product.ts';
import { connect } from '../../tests/support/grpc/client.ts';
import { readCpuMicros } from './cpu.ts';
import type { BenchServer, DatabaseSet } from './server.ts';

/** A daemon of the built product, or several, alone on its three databases. */
export type Product = {
  /** Of the first daemon. */
  readonly address: string;
  /** Of all daemons, for gRPC. */
  readonly addresses: readonly string[];
  /** Of the HTTP gateway; empty where it was not turned on. */
  readonly httpAddress: string;
  /** Of the first daemon. */
  readonly pid: number;
  /** Again on the same databases, after a stop. The ports are other ones. */
  start(): Promise<void>;
  readonly databases: DatabaseSet;
  /** Signs in as the nth operator; an access token lives for 15 minutes. */
  signIn(n?: number): Promise<string>;
  /** Processor time that the daemons have used so far, in seconds. */
  cpuSeconds(): Promise<number>;
  /** Processor time of the daemons, Postgres and RabbitMQ so far, in microseconds. */
  systemCpuMicros(): Promise<number>;
  stop(): Promise<void>;
};

const password = 'a long enough passphrase';
/** Each may have 1,024 calls in flight. */
export const operatorCount = 4;
const operatorOf = (n: number): string => `operator-${n}@bench.example`;

/** The nth customer's id. */
export const userIdOf = (n: number): string =>
  `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;

/** The nth customer's address. */
export const emailOf = (n: number): string => `user-${n}@bench.example`;

const userIdSql = `('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`;

/** Starts `walletd` on new databases, with an operator and so many customers in them. */
export async function startProduct(
  server: BenchServer,
  name: string,
  options: {
    readonly users: number;
    readonly env?: Readonly<Record<string, string>>;
    /** Of RabbitMQ, where there is one. */
    readonly brokerPid?: number;
    /** One if absent. */
    readonly daemons?: number;
  },
): Promise<Product> {
  const databases = await server.createDatabases(name);
  const keyFile = join(server.folder, `${name}.pem`);
  const { privateKey } = generateKeyPairSync('ed25519');
  await writeFile(keyFile, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const env = {
    PATH: process.env['PATH'] ?? '',
    HOME: server.folder,
    WALLETD_LISTEN: '127.0.0.1:0',
    WALLETD_METRICS_LISTEN: 'off',
    WALLETD_HTTP_LISTEN: 'off',
    LOG_LEVEL: 'warn',
    AUTH_SIGNING_KEY_FILE: keyFile,
    ...databases.env,
    ...options.env,
  };
  const startAll = () => startDaemons(options.daemons ?? 1, env, server.daemonFlags);
  let daemons = await startAll();
  try {
    await addUsers(server, databases, options.users);
  } catch (err) {
    for (const daemon of daemons) daemon.kill('SIGKILL');
    throw err;
  }
  return {
    get address() {
      return daemons[0].address;
    },
    get addresses() {
      return daemons.map(({ address }) => address);
    },
    get httpAddress() {
      return /^walletd: HTTP on (\S+)$/m.exec(daemons[0].log())?.[1] ?? '';
    },
    get pid() {
      return daemons[0].pid;
    },
    databases,
    signIn: (n = 0) => signIn(daemons[0].address, operatorOf(n)),
    cpuSeconds: async () => {
      const seconds = await Promise.all(daemons.map(({ pid }) => readCpuSeconds(pid)));
      return seconds.reduce((total, each) => total + each, 0);
    },
    systemCpuMicros: () => {
      const { brokerPid } = options;
      const broker = brokerPid === undefined ? [] : [brokerPid];
      return readCpuMicros([...daemons.map(({ pid }) => pid), server.pid, ...broker]);
    },
    start: async () => {
      daemons = await startAll();
    },
    stop: async () => {
      await Promise.all(daemons.map(stopDaemon));
    },
  };
}

type Daemons = readonly [Daemon, ...Daemon[]];

/** One after the other: the first migrates the databases. */
async function startDaemons(
  count: number,
  env: Readonly<Record<string, string>>,
  flags: readonly string[],
): Promise<Daemons> {
  const first = await startWalletd(env, [], flags);
  const others: Daemon[] = [];
  try {
    while (others.length + 1 < count) others.push(await startWalletd(env, [], flags));
  } catch (err) {
    for (const daemon of [first, ...others]) daemon.kill('SIGKILL');
    throw err;
  }
  return [first, ...others];
}

async function addUsers(server: BenchServer, databases: DatabaseSet, count: number): Promise<void> {
  const phc = await hash(password, { memoryCost: 19_456, timeCost: 2, parallelism: 1 });
  const insert = `INSERT INTO users (id, email, password_hash, role, email_verified)`;
  const auth = databases.nameOf('auth');
  for (let n = 0; n < operatorCount; n += 1) {
    const values = [randomUUID(), operatorOf(n), phc];
    await server.query(auth, `${insert} VALUES ($1, $2, $3, 'operator', true)`, values);
  }
  await server.query(
    auth,
    `${insert} SELECT ${userIdSql}, 'user-' || n || '@bench.example', $1, 'customer', true
     FROM generate_series(0, $2::int - 1) AS n`,
    [phc, count],
  );
  await server.query(auth, 'ANALYZE users');
}

async function signIn(address: string, email: string): Promise<string> {
  const client = connect(address);
  const answer = await client.call(AuthServiceService.signIn, {
    email,
    password,
    client: 'bench',
    deviceToken: '',
  });
  client.close();
  if (!answer.ok) throw new Error(`sign-in: ${answer.reason}`);
  return answer.value.tokens?.accessToken ?? '';
}

async function stopDaemon(daemon: Daemon): Promise<void> {
  daemon.kill('SIGTERM');
  const code = await daemon.exited;
  if (code !== 0) throw new Error(`walletd ended with ${String(code)}:\n${daemon.log()}`);
}

/** Linux only; 0 elsewhere. Ticks are hundredths of a second: proc(5), fields utime and stime. */
async function readCpuSeconds(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) / 100;
}
