import { z } from 'zod';

import { metadataLimits } from '../../../core/json/metadata.ts';
import { toLineJson } from '../../../lib/json/statements.ts';
import {
  SearchLinesRequest,
  SearchStatus,
  StatementServiceService as statement,
  type FoundLine,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import { currency, page, user, uuid } from '../http/fields.ts';
import { toPage } from '../http/pages.ts';
import { defineRoute, type Route } from '../http/route.ts';
import { statementLine } from './statements.ts';

const path = '/v1/statements/search';
const defaultLimit = 50;

const foundLine = statementLine
  .extend({
    walletId: uuid,
    userId: uuid,
    currency,
    metadata: z.record(z.string(), z.string()),
  })
  .meta({ id: 'FoundLine' });

const example = {
  walletId: '5b0f7a3d-56d0-5e35-9c2f-a3a2f7c1d9a4',
  userId: '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11',
  ...{ currency: 'BRL', seq: 1, date: '2026-11-22T21:42:10.123Z' },
  transactionId: '7c4f9d7e-8f1c-5a49-8c53-3c2b6f8f7a10',
  ...{ operation: 'deposit', credit: '100.00', balance: '100.00' },
  metadata: { reference: 'order-1042' },
};

const statusNames = ['complete', 'behind', 'unknown'] as const;

/** Lines by their metadata: `/v1/statements/search` */
export const searchRoutes: readonly Route[] = [
  defineRoute({
    method: 'GET',
    path,
    tag: 'statements',
    summary: 'Find statement lines by a value in their metadata, newest first',
    description:
      'In a wallet of the caller; for staff also in all wallets. `status` says whether lines may be ' +
      'missing, and `missing` why. A page can be shorter than `limit`, or empty, before the last.',
    credential: 'required',
    query: z.strictObject({
      user,
      currency: currency.optional().meta({
        description: 'Default: the server’s currency; for staff without `user`, every one',
      }),
      key: z.string().min(1).max(metadataLimits.key).meta({
        description: 'One of those that the server keeps for searches (SEARCH_KEYS)',
        example: 'reference',
      }),
      value: z.string().min(1).max(metadataLimits.value).meta({ example: 'order-1042' }),
      ...page,
    }),
    answers: {
      200: {
        description: 'A page',
        schema: z.object({
          status: z.enum(statusNames),
          missing: z.string().optional().meta({ description: 'Why lines may be missing' }),
          items: z.array(foundLine),
          nextPageToken: z.string().optional().meta({ description: 'Absent on the last page' }),
        }),
        example: { status: 'complete', items: [example] },
        optionalHeaders: { Link: 'The next page, with rel="next"' },
      },
    },
    problems: ['CURRENCY_UNKNOWN', 'PAGE_TOKEN_INVALID', 'USER_NOT_FOUND', 'USER_REQUIRED'],
    run: async ({ query, call }) => {
      const { user: userId = '', currency: of = '', key, value } = query;
      const { limit: pageSize = defaultLimit, pageToken = '' } = query;
      const request = { userId, currency: of, key, value, pageSize, pageToken };
      const got = await call(
        'statement',
        statement.searchLines,
        SearchLinesRequest.fromPartial(request),
      );
      if (!got.ok) return got;
      const { lines, nextPageToken, status, missing } = got.value;
      const shown = toPage(path, query, lines.map(toFoundJson), nextPageToken);
      if (!shown.ok) return shown;
      const judged = { status: nameStatus(status), ...(missing === '' ? {} : { missing }) };
      return { ...shown, body: { ...judged, ...(shown.body as object) } };
    },
  }),
];

function nameStatus(status: SearchStatus): (typeof statusNames)[number] {
  if (status === SearchStatus.COMPLETE) return 'complete';
  return status === SearchStatus.BEHIND ? 'behind' : 'unknown';
}

function toFoundJson({ line, walletId, userId, metadata, ...money }: FoundLine): object {
  if (!line) throw new Error('what was found has no line');
  const shown = toLineJson({ ...money, timezone: 'UTC' }, line);
  return { walletId, userId, currency: money.currency, ...shown, metadata };
}
