import type { AuditEvent } from '../../../protos/gen/digitalwallet/common/v1/audit.ts';
import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { StatementServiceService } from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  WalletServiceService,
  type ListAuditEventsRequest,
  type ListAuditEventsResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { AuditPosition, AuditService } from './cursor.ts';
import type { Method } from '../../rpc/method.ts';
import type { Context } from '../../context.ts';
import { exitCodes, succeed, type CliFailure, type Outcome } from '../../outcome.ts';
import { failPageToken } from '../shared/paging.ts';

/** All three have the same call, with messages of the same content. */
const methods: Readonly<
  Record<AuditService, Method<ListAuditEventsRequest, ListAuditEventsResponse>>
> = {
  auth: AuthServiceService.listAuditEvents,
  wallet: WalletServiceService.listAuditEvents,
  statement: StatementServiceService.listAuditEvents,
};

export type AuditFilter = Omit<ListAuditEventsRequest, 'pageSize' | 'pageToken'>;

/** One service's log, newest first, read as far as it is needed. */
export type AuditSource = {
  readonly service: AuditService;
  /** The newest event not taken yet, once `fill` was called; undefined at the end. */
  head(): AuditEvent | undefined;
  take(): void;
  /** Makes sure of a head. A service that is unavailable ends here, for this run. */
  fill(): Promise<Outcome<undefined>>;
  /** Where to go on; undefined at the end. */
  position(): AuditPosition | undefined;
  /** Why the service's events are missing from here on. */
  absence(): CliFailure | undefined;
};

const pageSize = 100;

/** Reads a service's log from a position on. */
export function openAuditSource(
  { caller }: Pick<Context, 'caller'>,
  service: AuditService,
  filter: AuditFilter,
  start: AuditPosition,
): AuditSource {
  let page: readonly AuditEvent[] = [];
  let taken = 0;
  /** The page that `page` is, and the one to come; undefined once there is none. */
  let pageToken = start.token;
  let nextToken: string | undefined = start.token;
  let skipTo = start.after;
  let lastTaken = start.after;
  let away: CliFailure | undefined;

  const fetch = async (token: string): Promise<Outcome<undefined>> => {
    const request = { ...filter, pageSize, pageToken: token };
    const listed = await caller.call(methods[service], request, 'read');
    if (!listed.ok) {
      if (!isAway(listed.failure)) return listed;
      away = listed.failure;
      return succeed(undefined);
    }
    const { events, nextPageToken } = listed.value;
    const found = skipTo === undefined ? -1 : events.findIndex(({ id }) => id === skipTo);
    const isFound = skipTo === undefined || found >= 0;
    if (!isFound && nextPageToken === '') return failPageToken();
    // What is newer than the last one taken came after that, and stays out.
    page = isFound ? events.slice(found + 1) : [];
    taken = 0;
    pageToken = token;
    lastTaken = found >= 0 ? skipTo : undefined;
    if (isFound) skipTo = undefined;
    nextToken = nextPageToken === '' ? undefined : nextPageToken;
    return succeed(undefined);
  };

  return {
    service,
    head: () => page[taken],
    take: () => {
      lastTaken = page[taken]?.id ?? lastTaken;
      taken += 1;
    },
    fill: async () => {
      while (taken >= page.length && nextToken !== undefined && !away) {
        const fetched = await fetch(nextToken);
        if (!fetched.ok) return fetched;
      }
      return succeed(undefined);
    },
    position: () => {
      if (away?.reason === 'UNIMPLEMENTED') return undefined;
      if (skipTo !== undefined) return start;
      if (taken < page.length) return { token: pageToken, after: lastTaken };
      return nextToken === undefined ? undefined : { token: nextToken, after: undefined };
    },
    absence: () => away,
  };
}

/** The others can still be read; a refusal, however, is meant for all of them. */
function isAway({ exitCode, reason }: CliFailure): boolean {
  return exitCode === exitCodes.unavailable || reason === 'UNIMPLEMENTED';
}

/** The source whose head is the newest; of equals the first. */
export function findNewest(sources: readonly AuditSource[]): AuditSource | undefined {
  let newest: AuditSource | undefined;
  let newestMs = Number.NEGATIVE_INFINITY;
  for (const source of sources) {
    const event = source.head();
    const timeMs = event ? (event.occurredAt?.getTime() ?? 0) : undefined;
    if (timeMs === undefined || timeMs <= newestMs) continue;
    newest = source;
    newestMs = timeMs;
  }
  return newest;
}
