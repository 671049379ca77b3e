import { createAuth } from './auth/index.ts';
import type { Config } from './config/config.ts';
import type { Outcome } from './fault.ts';
import type { Access } from './platform/access/access.ts';
import type { Broker, Consumer } from './platform/broker/broker.ts';
import type { Db } from './platform/db/db.ts';
import type { HostedService } from './platform/grpc/server.ts';
import type { Log } from './platform/log.ts';
import type { Mailer } from './platform/mail/mail.ts';
import type { Reading, Timing } from './platform/metrics.ts';
import type { OutboxDepth } from './platform/outbox/depth.ts';
import type { ProgressWatch } from './platform/progress/watch.ts';
import type { Revocations } from './platform/access/revocations.ts';
import type { Peers } from './peer-clients.ts';
import { keyFault, readCheckpointKey, readPreviousKey, readSigningKey } from './config/secrets.ts';
import type { ServiceName } from './config/settings.ts';
import { createStatement } from './statement/index.ts';
import { createWallet } from './wallet/index.ts';

/** One service while it runs: what every service's index gives. */
export type Running = {
  readonly service: HostedService;
  readonly consumers: readonly Consumer[];
  readonly outbox?: () => OutboxDepth;
  readonly timings?: readonly Timing[];
  readonly readings?: readonly Reading[];
  /** From a transaction until its statement line was there: the last that was observed. */
  readonly projectionLag?: Timing['readLast'];
  /** What an operator should know, and does not keep the service from serving. */
  findTrouble?(): string | undefined;
  start(): void;
  stop(): Promise<void>;
};

/** What services are put together from. */
export type Deps = {
  readonly config: Config;
  /** Where a key of its own may be; undefined with databases of one's own. */
  readonly dataDir: string | undefined;
  /** Shared by all services. */
  readonly dbs: Readonly<Partial<Record<ServiceName, Db>>>;
  /** For what must go on whatever the load is: commits, the relay, the feed of revocations. */
  readonly reserved: Readonly<Partial<Record<ServiceName, Db>>>;
  /** For the projection alone: neither readers nor exports nor replays keep it waiting. */
  readonly projecting: Readonly<Partial<Record<ServiceName, Db>>>;
  /** The newest migration that this program has for each hosted service. */
  readonly schemaVersions: Readonly<Partial<Record<ServiceName, number>>>;
  readonly log: Log;
  readonly broker: Broker;
  readonly auth: Peers['auth'];
  readonly wallet: Peers['wallet'];
  readonly revocations: Revocations;
  readonly access: Access;
  /** Undefined: no mail is sent. */
  readonly mailer: Mailer | undefined;
  readonly watch: ProgressWatch;
};

/** Makes a service from its parts; what an operator should know goes into `notices`. */
export const createService: Readonly<
  Record<ServiceName, (deps: Deps, notices: string[]) => Promise<Outcome<Running>>>
> = {
  auth: async (deps, notices) => {
    const { config, dataDir, dbs, reserved, revocations, access, mailer, log, watch } = deps;
    const key = await readSigningKey(config, dataDir);
    if (!key.ok) return key;
    const previous = await readPreviousKey(config);
    if (!previous.ok) return previous;
    const db = dbOf(dbs, 'auth');
    const { isSignUpOpen, isSignUpLocal, isStaffTotpRequired } = config;
    const signUp = { isSignUpOpen, isSignUpLocal };
    const pems = { signingKeyPem: key.value, previousKeyPem: previous.value };
    const { validateToken } = access;
    const auth = await createAuth({
      db,
      feedDb: dbOf(reserved, 'auth'),
      revocations,
      validateToken,
      ...(mailer ? { mailer } : {}),
      ...{ log, watch },
      config: { ...pems, ...signUp, isStaffTotpRequired },
    });
    if (!auth.ok) return keyFault(auth.key, auth.problem);
    if (!(await auth.value.hasAdmin())) {
      notices.push(
        'no admin yet; make one: walletd users create --email YOU@EXAMPLE.COM --role admin',
      );
    }
    if (isSignUpLocal) {
      notices.push(
        'programs on this machine may sign up and use a wallet; requests through a proxy ' +
          'may not: set SIGN_UP and SELF_SERVICE_OPERATIONS',
      );
    } else if (isSignUpOpen) {
      notices.push('any client that reaches this port may sign up and use a wallet (SIGN_UP=open)');
    }
    return { ok: true, value: auth.value };
  },
  wallet: async ({ config, dataDir, dbs, reserved, broker, auth, log, watch }, notices) => {
    const signer = await readCheckpointKey(config, dataDir);
    if (!signer.ok) return signer;
    const { defaultCurrency, selfServiceOperations, localOperations } = config;
    const { amqpOperations, outboxLimit } = config;
    const { defaultLimits, holdDays, isTermsForAdmins } = config;
    const { checkpointMinutes, checkpointFile: file } = config;
    const checkpointing = { everyMs: checkpointMinutes * 60_000, file };
    const wallet = createWallet({
      db: dbOf(dbs, 'wallet'),
      commitDb: dbOf(reserved, 'wallet'),
      broker,
      peers: { findUsers: auth.findUsers },
      config: {
        defaultCurrency,
        selfServiceOperations,
        localOperations,
        amqpOperations,
        outboxLimit,
        ...{ defaultLimits, holdDays, isTermsForAdmins },
        queue: config.walletQueue,
        maxCommits: 2,
      },
      ...(signer.value ? { checkpoints: { ...checkpointing, signer: signer.value } } : {}),
      ...{ log, watch },
    });
    const rights = await wallet.checkRights();
    if (rights.length > 0) {
      return {
        ok: false,
        fault: {
          fault: `the role of WALLET_DATABASE_URL could change the ledger: it has ${rights.join(', ')} rights on transactions`,
          hint: 'give the daemon a role of its own that does not own the tables, and keep the owner for WALLET_MIGRATION_DATABASE_URL',
        },
      };
    }
    if (!signer.value) {
      notices.push('no CHECKPOINT_KEY_FILE: no checkpoints of the ledger are taken');
    }
    if (config.rabbitmqUrl === undefined) {
      notices.push('no RABBITMQ_URL: other programs cannot send transactions or receive events');
    }
    return { ok: true, value: wallet };
  },
  statement: ({ config, dbs, reserved, projecting, broker, auth, wallet, mailer, log, watch }) => {
    const statement = createStatement({
      db: dbOf(dbs, 'statement'),
      workDb: dbOf(reserved, 'statement'),
      projectionDb: dbOf(projecting, 'statement'),
      broker,
      peers: {
        readHead: wallet.readHead,
        readLedger: wallet.readLedger,
        findUser: auth.findUser,
      },
      mailer,
      config: {
        defaultCurrency: config.defaultCurrency,
        inlineDays: config.inlineDays,
        searchKeys: config.searchKeys,
        queue: config.statementQueue,
        exportQueue: config.exportQueue,
        exportRetentionDays: config.exportRetentionDays,
      },
      ...{ log, watch },
    });
    return Promise.resolve({ ok: true, value: statement });
  },
};

function dbOf(dbs: Deps['dbs'], name: ServiceName): Db {
  const db = dbs[name];
  if (!db) throw new Error(`${name} has no database`);
  return db;
}
