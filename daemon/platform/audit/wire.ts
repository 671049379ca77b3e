import { isStorableTime } from '../../../core/time/calendar.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { findTextProblem } from '../../../core/text.ts';
import type { AuditEvent as WireEvent } from '../../../protos/gen/digitalwallet/common/v1/audit.ts';
import type { AuditEvent } from './events.ts';
import { listAuditEvents, type AuditFilter } from './rows.ts';
import type { Db } from '../db/db.ts';
import {
  cursorParts,
  decodePageToken,
  encodePageToken,
  pageSizeOf,
  takePage,
  textBytes,
} from '../page-token.ts';

type ListRequest = {
  pageSize: number;
  pageToken: string;
  actor: string;
  target: string;
  action: string;
  from?: Date | undefined;
  to?: Date | undefined;
};
type ListResponse = { events: WireEvent[]; nextPageToken: string };

const cursorShape = { micros: /^-?\d{1,17}$/, id: cursorParts.id, place: /^\d{1,5}$/ };
/** Longer than any name or list of ids that a line can have. */
const maxFilterLength = 4_096;

/** The call that every service with an audit log has; its messages are alike. */
export function createAuditHandlers({ db }: { readonly db: Db }) {
  return {
    /** The newest line first; `from` belongs to the range, `to` does not. */
    listAuditEvents: async (request: ListRequest): Promise<Result<ListResponse>> => {
      const filter = readFilter(request);
      if (!filter.ok) return filter;
      const size = pageSizeOf(request.pageSize, 50, 500);
      if (!size.ok) return size;
      const bound = Object.values(filter.value);
      const cursor = decodePageToken(bound, request.pageToken, cursorShape);
      if (!cursor.ok) return cursor;
      const { micros = '', id = '', place } = cursor.value ?? {};
      const after = cursor.value && { micros, id, place: Number(place) };
      const found = await db.read((tx) => listAuditEvents(tx, filter.value, after, size.value + 1));
      const { page, last } = takePage(found, size.value, bytesOf);
      const next = last && toCursor(last);
      return succeed({
        events: page.map(toWire),
        nextPageToken: next ? encodePageToken(bound, next) : '',
      });
    },
  };
}

const toCursor = ({ occurredAtMicros, rowId, place }: AuditEvent) => ({
  micros: String(occurredAtMicros),
  id: rowId,
  place: String(place),
});

function readFilter(request: ListRequest): Result<AuditFilter> {
  for (const field of ['actor', 'target', 'action'] as const) {
    const problem = findTextProblem(request[field], maxFilterLength);
    if (problem !== undefined) return refuse('INVALID_ARGUMENT', `${field} ${problem}`, { field });
  }
  for (const field of ['from', 'to'] as const) {
    const time = request[field];
    if (time && !isStorableTime(time.getTime())) {
      const problem = `${field} must be a time in the years 1 to 9999`;
      return refuse('INVALID_ARGUMENT', problem, { field });
    }
  }
  const { actor, target, action, from, to } = request;
  return succeed({ actor, target, action, fromMs: from?.getTime(), toMs: to?.getTime() });
}

function bytesOf({ actor, target, requestId, details }: AuditEvent): number {
  const texts = [actor, target, requestId, ...Object.entries(details).flat()];
  return texts.reduce((bytes, text) => bytes + textBytes(text) + 16, 256);
}

function toWire(event: AuditEvent): WireEvent {
  const { id, actor, actorRole, action, target, result, requestId, details } = event;
  const occurredAt = new Date(event.occurredAtMs);
  return {
    id,
    occurredAt,
    actor,
    actorRole,
    action,
    target,
    result,
    requestId,
    details: { ...details },
  };
}
