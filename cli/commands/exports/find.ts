import {
  StatementServiceService,
  type Export,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import type { Context } from '../../context.ts';
import { succeed, type Outcome } from '../../outcome.ts';
import { candidateLimit, resolveId, type Candidate } from '../shared/id-prefix.ts';
import { nameExportStatus } from '../../../lib/json/exports.ts';

/** The export that a text names: by its whole id, or by its beginning among all that one may see. */
export function resolveExportId(
  { caller }: Pick<Context, 'caller'>,
  text: string,
): Promise<Outcome<string>> {
  return resolveId(text, {
    ...{ field: 'export_id', noun: 'export', notFound: 'EXPORT_NOT_FOUND' },
    list: 'wallet exports list',
    find: async (idPrefix) => {
      const request = { userId: '', idPrefix, pageSize: candidateLimit, pageToken: '' };
      const listed = await caller.call(StatementServiceService.listExports, request, 'read');
      return listed.ok ? succeed(listed.value.exports.map(toCandidate)) : listed;
    },
  });
}

function toCandidate({ id, status, currency, createdAt }: Export): Candidate {
  const made = createdAt?.toISOString() ?? 'at an unknown time';
  return { id, description: `${nameExportStatus(status)}, ${currency}, made ${made}` };
}
