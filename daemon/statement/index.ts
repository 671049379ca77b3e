import { operations } from '../../core/operations.ts';
import { StatementServiceService } from '../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { createAuditTrail } from '../platform/audit/audit.ts';
import { createAuditHandlers } from '../platform/audit/wire.ts';
import type { Broker } from '../platform/broker/broker.ts';
import { createDeadLetterHandlers, deadLetterBounds } from '../platform/dead-letters/wire.ts';
import { createDeadLetters } from '../platform/dead-letters/dead-letters.ts';
import type { Db } from '../platform/db/db.ts';
import type { HostedService } from '../platform/grpc/server.ts';
import type { Log } from '../platform/log.ts';
import type { Mailer } from '../platform/mail/mail.ts';
import { createTiming } from '../platform/metrics.ts';
import { createRelay } from '../platform/outbox/relay.ts';
import { unwatched, type ProgressWatch } from '../platform/progress/watch.ts';
import { createExportHandlers } from './exports/export-rpcs.ts';
import type { FindUser } from './exports/peers.ts';
import { createRequestConsumer } from './exports/requests.ts';
import { createExportWorker } from './exports/worker.ts';
import { createGaps, type Gaps } from './projection/gaps.ts';
import type { ReadHead } from './pages/generate.ts';
import { createHandlers } from './handlers.ts';
import { policies } from './policy.ts';
import { checkLinks, createProjection } from './projection/projection.ts';
import { createRebuildHandlers } from './rebuild/rpcs.ts';
import type { ReadLedger } from './rebuild/rebuild.ts';
import { createReplayPlan } from './projection/replay.ts';
import { createSearchHandlers } from './search/rpcs.ts';
import { createWatchHub } from './watch/hub.ts';
import { createWatchHandlers, maxUsers } from './watch/rpcs.ts';
import { maxCursorLength } from './watch/cursor.ts';
import { createRecorder, type Recorder } from './witness/record.ts';
import { listReadings, watchDivergences } from './witness/watch.ts';

export type { ReadLedger, RebuildProgress } from './rebuild/rebuild.ts';
export { rebuild as rebuildOnHost } from './rebuild/rebuild.ts';
export {
  countPendingLetters,
  findDeadLettered,
  findWithoutLine,
  withLines,
} from './verify/lines.ts';

const limits: Pick<HostedService, 'bounds' | 'streams'> = {
  bounds: {
    ...deadLetterBounds,
    generateStatement: { operations: operations.length },
    watchLines: { user_ids: maxUsers, cursor: maxCursorLength },
  },
  // They are held open for long: fewer than streams that end.
  streams: { watchLines: { all: 100, ofOne: 8 } },
};

export type StatementOptions = {
  readonly db: Db;
  /** For the relay, the exports and the rebuild: connections that no reader can use up. */
  readonly workDb: Db;
  /** For the projection alone; `workDb` if not given. */
  readonly projectionDb?: Db;
  readonly broker: Pick<Broker, 'publish'> & Partial<Pick<Broker, 'findTrouble'>>;
  readonly peers: {
    readonly readHead: ReadHead;
    readonly findUser: FindUser;
    readonly readLedger: ReadLedger;
  };
  /** Undefined where no mail server is set. */
  readonly mailer: Pick<Mailer, 'send'> | undefined;
  readonly config: {
    readonly defaultCurrency: string;
    readonly inlineDays: number;
    /** Keys of metadata by which lines can be searched. */
    readonly searchKeys: readonly string[];
    readonly queue: string;
    readonly exportQueue: string;
    readonly exportRetentionDays: number;
  };
  readonly log: Log;
  readonly watch?: ProgressWatch;
};

/** The links of lines that come late are checked once they are there. */
const watchGaps = (db: Db, recorder: Pick<Recorder, 'record'>, log: Log): Gaps =>
  createGaps(
    db,
    async (links) => {
      const { broken } = await checkLinks(db, links);
      if (broken.length > 0) await recorder.record(broken);
    },
    () => log.warn('more gaps in statement lines than are watched: run walletd statements rebuild'),
  );

/** Statements, projected from the ledger's events, and their exports to files. */
export function createStatement(options: StatementOptions) {
  const { db, workDb, broker, peers, mailer, config, log, watch = unwatched } = options;
  const { projectionDb = workDb } = options;
  const relay = createRelay({ db: workDb, broker, log, owner: 'statement', watch });
  const trail = createAuditTrail({ db, log });
  const recorder = createRecorder(db, log);
  const worker = createExportWorker({
    ...{ db: workDb, reporter: recorder, peers, mailer, log, watch },
    retentionDays: config.exportRetentionDays,
    onReady: relay.wake,
  });
  const lag = createTiming(
    'walletd_projection_lag_seconds',
    'From a transaction until its statement line was there; the oldest of each batch',
  );
  const gaps = watchGaps(db, recorder, log);
  watch.watchBacklog('statement.lines', gaps.findOldest);
  const divergences = watchDivergences(workDb, log);
  const hub = createWatchHub(db, log);
  const projection = createProjection(
    ...([projectionDb, config.queue, recorder, lag, gaps, hub.note, config.searchKeys] as const),
  );
  const handlerOptions = {
    ...{ db, peers, trail, reporter: recorder, ...config },
    ...{ canMail: mailer !== undefined, onQueued: relay.wake },
  };
  const requests = createRequestConsumer({
    ...{ ...handlerOptions, db: projectionDb },
    ...{ queue: config.exportQueue, wake: worker.wake },
  });
  const { readLedger } = peers;
  const plan = createReplayPlan({ projection, requests, readLedger, trail });
  const deadLetters = createDeadLetters({ db, plan });
  const service: HostedService = {
    name: 'digitalwallet.statement.v1.StatementService',
    definition: StatementServiceService,
    handlers: {
      ...createHandlers(handlerOptions),
      ...createExportHandlers(handlerOptions),
      ...createWatchHandlers({ ...handlerOptions, hub }),
      ...createSearchHandlers(handlerOptions),
      ...createRebuildHandlers({ ...handlerOptions, db: workDb, readLedger, log }),
      ...createDeadLetterHandlers(deadLetters, trail),
      ...createAuditHandlers({ db }),
    },
    policies,
    ...limits,
    onDenied: trail.recordDenial,
  };
  return {
    service,
    consumers: [projection, requests],
    ...{ timings: [lag], projectionLag: lag.readLast },
    readings: listReadings(recorder, divergences),
    findTrouble: divergences.findTrouble,
    start: () => {
      relay.start();
      worker.start();
      divergences.start();
      hub.start();
    },
    stop: async () => {
      await hub.stop();
      await divergences.stop();
      await worker.stop();
      await relay.stop();
    },
  };
}
