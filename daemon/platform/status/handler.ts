import { succeed, type Result } from '../../../core/reasons.ts';
import type {
  OperationalStatus,
  ServiceStatus,
} from '../../../protos/gen/digitalwallet/common/v1/status.ts';
import type { Principal } from '../access/access.ts';
import type { Db } from '../db/db.ts';
import type { PartState } from '../progress/watch.ts';
import { describeTrouble } from '../progress/reasons.ts';
import { readDatabase, type DatabaseReading, type StatusTables } from './read-database.ts';
import { createRecent, type Recent } from './recent.ts';

/** Where the status of a service comes from. */
export type StatusSources = StatusTables & {
  readonly version: string;
  /** The newest migration of this program. */
  readonly expectedVersion: number;
  readonly db: Db;
  /** Undefined for services without messages. */
  readonly broker:
    { readonly isRabbitMq: boolean; readonly findTrouble: () => string | undefined } | undefined;
  /** The progress of the parts of this service. */
  readonly readParts: () => readonly PartState[];
  /** The statement service only. */
  readonly readProjection?: () => {
    readonly last: { readonly seconds: number; readonly atMs: number } | undefined;
    readonly waitingMs: number;
  };
  readonly findTrouble?: () => string | undefined;
  /** The setting: from one checkpoint of the ledger to the next. The wallet service only. */
  readonly checkpointEveryMs?: number | undefined;
};

type Answer = { readonly status: ServiceStatus };

/**
 * The handler of GetStatus. It answers within half a second even if the database hangs, and reads
 * the database once a second however many callers ask.
 */
export function createStatusHandler(sources: StatusSources) {
  const read = createRecent({
    load: () => readDatabase(sources.db, sources),
    describe: describeTrouble,
  });
  return async (
    _request: unknown,
    { principal }: { readonly principal: Principal },
  ): Promise<Result<Answer>> => {
    const database = await read();
    const operational = maySeeOperations(principal) ? describe(sources, database) : undefined;
    const { version, expectedVersion } = sources;
    const schema = { expectedVersion, appliedVersion: database.value?.appliedVersion };
    return succeed({ status: { version, serverTime: new Date(), schema, operational } });
  };
}

/** Staff; of their API keys those that may read what others sent. */
export function maySeeOperations(principal: Principal): boolean {
  if (principal.kind !== 'user' || principal.role === 'customer') return false;
  const { apiKey } = principal;
  if (!apiKey) return true;
  return apiKey.walletId === undefined && apiKey.scopes.includes('dead-letters:read');
}

function describe(sources: StatusSources, database: Recent<DatabaseReading>): OperationalStatus {
  const { broker, readParts, readProjection, findTrouble } = sources;
  const { letters, outbox, checkpoint } = database.value ?? {};
  const stalled = readParts().filter((part) => part.isStalled);
  return {
    databaseTrouble: database.trouble ?? '',
    broker: broker && { isRabbitmq: broker.isRabbitMq, trouble: broker.findTrouble() ?? '' },
    outbox: outbox && { events: BigInt(outbox.events), ageMs: toMs(Math.max(0, outbox.lagMs)) },
    projection: readProjection && describeProjection(readProjection()),
    deadLetters: letters && {
      pending: letters.pending,
      hasMore: letters.hasMore,
      oldestAt: letters.oldestAtMs === undefined ? undefined : new Date(letters.oldestAtMs),
    },
    stalled: stalled.map(({ part, ageMs, reason }) => ({
      name: part,
      ageMs: toMs(ageMs),
      reason,
    })),
    trouble: findTrouble?.() ?? '',
    checkpoint: checkpoint && describeCheckpoint(checkpoint, sources.checkpointEveryMs),
  };
}

/** It is taken at the next look after it is due, and takes a while where there are many wallets. */
const checkpointGraceMs = 600_000;

const describeCheckpoint = (
  { number, takenAtMs, size, ageMs }: NonNullable<DatabaseReading['checkpoint']>,
  everyMs = Infinity,
) => ({
  ...{ number, takenAt: new Date(takenAtMs), wallets: size, ageMs: toMs(Math.max(0, ageMs)) },
  isOverdue: ageMs > everyMs + Math.max(everyMs, checkpointGraceMs),
});

const describeProjection = ({
  last,
  waitingMs,
}: ReturnType<NonNullable<StatusSources['readProjection']>>) => ({
  lastLagMs: last && toMs(last.seconds * 1_000),
  lastStoredAt: last && new Date(last.atMs),
  waitingMs: toMs(waitingMs),
});

const toMs = (value: number): bigint => BigInt(Math.round(value));
