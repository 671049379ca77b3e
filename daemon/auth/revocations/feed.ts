import { succeed, type Result } from '../../../core/reasons.ts';
import type {
  ListRevocationsRequest,
  ListRevocationsResponse,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { readClock, type Db } from '../../platform/db/db.ts';
import { cursorParts, decodePageToken, encodePageToken } from '../../platform/page-token.ts';
import * as store from './store.ts';

type FeedOptions = {
  /** Connections that no external caller can use up. */
  readonly feedDb: Db;
  readonly isStaffTotpRequired: boolean;
};

/** Some 60 bytes each: a third of what one message may have. */
const pageSize = 20_000;
const cursorShape = { micros: /^\d{1,17}$/, kind: /^(session|user|api-key)$/, id: cursorParts.id };

const cases = { session: 'sessionId', user: 'userId', 'api-key': 'apiKeyId' } as const;

/** A page of the feed, which stays readable after any number of revocations. */
export async function listRevocations(
  { feedDb, isStaffTotpRequired }: FeedOptions,
  { since, pageToken = '' }: ListRevocationsRequest,
): Promise<Result<ListRevocationsResponse>> {
  const query = ['revocations', since?.getTime()];
  const decoded = decodePageToken(query, pageToken, cursorShape);
  if (!decoded.ok) return decoded;
  const { micros = '', kind = '', id = '' } = decoded.value ?? {};
  const after = decoded.value && { micros, kind, id };
  return feedDb.read(async (tx) => {
    const asOfMs = await readClock(tx);
    const found = await store.listRevocations(tx, since?.getTime(), after, pageSize + 1);
    const page = found.slice(0, pageSize);
    const last = found.length > page.length ? page.at(-1) : undefined;
    return succeed({
      asOf: new Date(asOfMs),
      staffTotpRequired: isStaffTotpRequired,
      nextPageToken: last ? encodePageToken(query, last.cursor) : '',
      revocations: page.map(({ item }) => ({
        subject: { $case: cases[item.kind], value: item.id },
        revokedAt: new Date(item.revokedAtMs),
        generation: item.generation === undefined ? undefined : BigInt(item.generation),
      })),
    });
  });
}
