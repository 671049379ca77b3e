import type { Operation } from '../../core/operations.ts';
import { WalletServiceService } from '../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { createAuditTrail } from '../platform/audit/audit.ts';
import { createAuditHandlers } from '../platform/audit/wire.ts';
import type { Broker } from '../platform/broker/broker.ts';
import type { Db } from '../platform/db/db.ts';
import { findChangeRights } from '../platform/db/checks.ts';
import { createDeadLetterHandlers, deadLetterBounds } from '../platform/dead-letters/wire.ts';
import { createDeadLetters } from '../platform/dead-letters/dead-letters.ts';
import type { HostedService } from '../platform/grpc/server.ts';
import type { Log } from '../platform/log.ts';
import { createTiming } from '../platform/metrics.ts';
import { createOutboxGauge } from '../platform/outbox/depth.ts';
import { createRelay } from '../platform/outbox/relay.ts';
import type { ProgressWatch } from '../platform/progress/watch.ts';
import { createCheckpointFile } from './checkpoints/file.ts';
import { createCheckpoints } from './checkpoints/job.ts';
import type { Signer } from './checkpoints/take.ts';
import { createOptimisticCommit } from './commit/optimistic-commit.ts';
import { createEmittedConsumer } from './events/emitted-consumer.ts';
import { createLedgerAlarms, explainDefects } from './commit/alarms.ts';
import { createGroupCommit, type GroupCommit } from './commit/group-commit.ts';
import { createBatchHandlers, maxBatchItems } from './rpc/batch.ts';
import { createHandlers } from './rpc/handlers.ts';
import { createWalletCache } from './store/wallet-cache.ts';
import { loadEvents } from './events/outbox.ts';
import { policies } from './policy.ts';
import type { AuditedDecision, AuditedCommand } from './requests/audited-command.ts';
import { createReplayPlan } from './events/replay.ts';
import type { HoldDays } from './requests/hold-days.ts';
import { createStreamHandlers, maxItems as maxStreamItems } from './rpc/stream.ts';
import { createSweeper } from './sweep/sweeper.ts';
import type { DefaultLimits } from './store/rare-states.ts';
import { createWalletRefs } from './requests/wallet-refs.ts';
import { createKnownUsers, findByWallets, type FindUsers } from './requests/users.ts';
import { walletsOf } from './domain.ts';

export type { SpendingLimits } from './domain.ts';
export { acceptClockAheadOnHost, type AheadRequest, type AheadWallet } from './host.ts';
export { compareCheckpoint } from './checkpoints/compare.ts';
export { exportCheckpoint } from './checkpoints/export.ts';
export { formatSigned } from './checkpoints/file.ts';
export { isExportFault, readExport, type ExportedCheckpoint } from './checkpoints/read-export.ts';
export * as checkpointStore from './checkpoints/store.ts';
export { takeCheckpoint } from './checkpoints/take.ts';
export { streamLedger } from './rpc/ledger-stream.ts';
export { findUnsent, keyOf as keyOfPlace } from './verify/outbox.ts';
export { countPendingMessages, verifyLedger, type VerifyPart } from './verify/pass.ts';

export type WalletOptions = {
  readonly db: Db;
  /** For commits and the relay: connections that no reader can use up. */
  readonly commitDb: Db;
  readonly broker: Broker;
  readonly peers: { readonly findUsers: FindUsers };
  readonly config: {
    readonly queue: string;
    readonly amqpOperations: ReadonlySet<Operation>;
    /** Events that may wait to be sent before new transactions are refused. */
    readonly outboxLimit: number;
    readonly defaultCurrency: string;
    readonly selfServiceOperations: ReadonlySet<Operation>;
    /** The same for requests that come straight from programs on this machine. */
    readonly localOperations: ReadonlySet<Operation>;
    /** Spending limits of wallets that have none of their own, by currency. */
    readonly defaultLimits: DefaultLimits;
    /** For how many days a hold lasts at most, and where a request does not say. */
    readonly holdDays: HoldDays;
    /** Whether only admins change overdraft and spending limits. */
    readonly isTermsForAdmins: boolean;
    /** Commits in flight at once; two by default. */
    readonly maxCommits: number;
  };
  /** Absent: no checkpoints are taken. */
  readonly checkpoints?: {
    readonly signer: Signer;
    readonly everyMs: number;
    /** The path of a file to which each is appended. */
    readonly file: string | undefined;
  };
  readonly log: Log;
  readonly watch: ProgressWatch;
};

const admission = {
  policies,
  queued: ['createTransaction'],
  largeWrites: ['batchCreateTransactions'],
  bounds: {
    ...deadLetterBounds,
    streamTransactions: { items: maxStreamItems },
    batchCreateTransactions: { items: maxBatchItems },
  },
} satisfies Partial<HostedService>;

/** The ledger's service. `checkRights` names what its database role could do and must not. */
export function createWallet(options: WalletOptions) {
  const { db, commitDb, broker, peers, config, log, watch } = options;
  const lag = createTiming(
    'walletd_event_confirm_seconds',
    'From a commit until its events were confirmed; the oldest of each round',
  );
  const sending = { load: loadEvents, lag, owner: 'wallet', watch };
  const relay = createRelay({ db: commitDb, broker, log, ...sending });
  const gauge = createOutboxGauge(commitDb, log);
  const isOutboxFull = (): boolean => gauge.read().events >= config.outboxLimit;
  const walletCache = createWalletCache();
  const walletRefs = createWalletRefs();
  const alarms = createLedgerAlarms(log);
  const commit = createOptimisticCommit(commitDb, walletCache, alarms, config.defaultLimits);
  const groupCommit = startCommits(commit, relay, config, log);
  const users = createKnownUsers(
    findByWallets(commitDb, walletCache, config.defaultCurrency, peers.findUsers, walletRefs),
  );
  const emittedOptions = {
    ...{ db, groupCommit, users, walletRefs, isOutboxFull },
    defaultCurrency: config.defaultCurrency,
    queue: config.queue,
    allowedOperations: config.amqpOperations,
    holdDays: config.holdDays,
  };
  const emitted = createEmittedConsumer(emittedOptions);
  const trail = createAuditTrail({ db, log });
  const checkpoints = startCheckpoints(options);
  const plan = createReplayPlan({ ...emittedOptions, trail });
  const deadLetters = createDeadLetters({ db, plan });
  const onEvents = relay.wake;
  const sweeper = createSweeper({ db, groupCommit, isOutboxFull, log, watch });
  const calls = { db, trail, groupCommit, users, walletRefs, isOutboxFull, onEvents, ...config };
  const service: HostedService = {
    name: 'digitalwallet.wallet.v1.WalletService',
    definition: WalletServiceService,
    handlers: {
      ...createHandlers({ ...calls, commitDb, checkpointEveryMs: options.checkpoints?.everyMs }),
      ...createStreamHandlers({ ...calls, log }),
      ...createBatchHandlers(calls),
      ...createDeadLetterHandlers(deadLetters, trail),
      ...createAuditHandlers({ db }),
    },
    ...admission,
    onDenied: trail.recordDenial,
  };
  return {
    service,
    consumers: [emitted],
    outbox: gauge.read,
    timings: [lag],
    readings: alarms.readings,
    findTrouble: alarms.findTrouble,
    checkRights: () => db.read((tx) => findChangeRights(tx, 'transactions')),
    start: () => {
      gauge.start();
      relay.start();
      checkpoints?.start();
      sweeper.start();
    },
    stop: async () => {
      gauge.stop();
      await sweeper.stop();
      await checkpoints?.stop();
      await groupCommit.drain();
      await relay.stop();
    },
  };
}

function startCheckpoints({ db, checkpoints, log, watch }: WalletOptions) {
  if (!checkpoints) return undefined;
  const { signer, everyMs, file: path } = checkpoints;
  const file = path === undefined ? undefined : createCheckpointFile(path);
  return createCheckpoints({ db, signer, everyMs, file, log, watch });
}

function startCommits(
  commit: ReturnType<typeof createOptimisticCommit>,
  relay: { wake(): void },
  { maxCommits }: Pick<WalletOptions['config'], 'maxCommits'>,
  log: Log,
): GroupCommit<AuditedCommand, AuditedDecision> {
  return createGroupCommit<AuditedCommand, AuditedDecision>({
    keysOf: (command) => walletsOf(command).map(({ id }) => id),
    groupOf: ({ more }) => more?.group,
    maxCommits,
    log,
    explain: explainDefects(log),
    commit: async (commands, mode) => {
      const answers = await commit(commands, mode);
      relay.wake();
      return answers;
    },
  });
}
