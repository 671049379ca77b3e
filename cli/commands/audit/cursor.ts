import { succeed, type Outcome } from '../../outcome.ts';
import { parseJsonObject } from '../../files/files.ts';
import { failPageToken } from '../shared/paging.ts';

/** The services that keep an audit log. */
export const auditServices = ['auth', 'wallet', 'statement'] as const;
export type AuditService = (typeof auditServices)[number];

/**
 * How far one service's log has been read: the page, by the service's own token, and the last
 * event of it that was printed.
 */
export type AuditPosition = { readonly token: string; readonly after: string | undefined };

/** Where each service goes on; those that are read to the end are left out. */
export type AuditPositions = ReadonlyMap<AuditService, AuditPosition>;

/** One page token out of those of `services`; undefined where all are at their end. */
export function encodeCursor(
  services: readonly AuditService[],
  positions: AuditPositions,
): string | undefined {
  if (positions.size === 0) return undefined;
  const at = Object.fromEntries(
    [...positions].map(([service, { token, after = '' }]) => [service, [token, after]]),
  );
  return Buffer.from(JSON.stringify({ services, at })).toString('base64url');
}

/** PAGE_TOKEN_INVALID for a token that was made for other services, or made up. */
export function decodeCursor(
  services: readonly AuditService[],
  token: string,
): Outcome<AuditPositions> {
  const cursor = parseJsonObject(Buffer.from(token, 'base64url').toString('utf8'));
  if (JSON.stringify(cursor?.['services']) !== JSON.stringify(services)) return failPageToken();
  const at = cursor?.['at'];
  if (typeof at !== 'object' || at === null) return failPageToken();
  const positions = new Map<AuditService, AuditPosition>();
  for (const [name, position] of Object.entries(at)) {
    const service = services.find((known) => known === name);
    if (!service || !isPosition(position)) return failPageToken();
    const [pageToken, after] = position;
    positions.set(service, { token: pageToken, after: after === '' ? undefined : after });
  }
  return positions.size > 0 ? succeed(positions) : failPageToken();
}

function isPosition(value: unknown): value is readonly [string, string] {
  return (
    Array.isArray(value) && value.length === 2 && value.every((part) => typeof part === 'string')
  );
}
