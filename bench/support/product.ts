import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { hash } from '@node-rs/argon2';

import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { startWalletd, type Daemon } from '../../scripts/product.ts';
import { connect } from '../../tests/support/grpc/client.ts';
import { readCpuMicros } from './cpu.ts';
import type { BenchServer, DatabaseSet } from './server.ts';

/** A daemon of the built product, alone on its three databases. */
export type Product = {
  readonly address: string;
  /** Of the HTTP gateway; empty where it was not turned on. */
  readonly httpAddress: string;
  readonly pid: number;
  /** Again on the same databases, after a stop. The port is another one. */
  start(): Promise<void>;
  readonly databases: DatabaseSet;
  /** Signs in as the nth operator; an access token lives for 15 minutes. */
  signIn(n?: number): Promise<string>;
  /** Processor time that it has used so far, in seconds. */
  cpuSeconds(): Promise<number>;
  /** Processor time of the daemon, Postgres and RabbitMQ so far, in microseconds. */
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
  let daemon = await startWalletd(env, [], server.daemonFlags);
  try {
    await addUsers(server, databases, options.users);
  } catch (err) {
    daemon.kill('SIGKILL');
    throw err;
  }
  return {
    get address() {
      return daemon.address;
    },
    get httpAddress() {
      return /^walletd: HTTP on (\S+)$/m.exec(daemon.log())?.[1] ?? '';
    },
    get pid() {
      return daemon.pid;
    },
    databases,
    signIn: (n = 0) => signIn(daemon.address, operatorOf(n)),
    cpuSeconds: () => readCpuSeconds(daemon.pid),
    systemCpuMicros: () => {
      const { brokerPid } = options;
      const broker = brokerPid === undefined ? [] : [brokerPid];
      return readCpuMicros([daemon.pid, server.pid, ...broker]);
    },
    start: async () => {
      daemon = await startWalletd(env, [], server.daemonFlags);
    },
    stop: () => stopDaemon(daemon),
  };
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
