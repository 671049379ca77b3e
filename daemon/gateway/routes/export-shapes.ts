import { z } from 'zod';

import { exportFormats, exportLocales } from '../../../core/statement-format/index.ts';
import { currency, time, user, uuid } from '../http/fields.ts';
import { rangeFields } from '../http/times.ts';

/** docs/cli.md, "JSON": an export. */
export const exportShape = z
  .object({
    id: uuid.optional().meta({ description: 'Absent in a dry run' }),
    status: z.enum(['queued', 'running', 'done', 'failed', 'expired', 'inconsistent', 'unknown']),
    userId: uuid,
    walletId: uuid,
    currency,
    from: time,
    to: time.meta({ description: 'Exclusive' }),
    timezone: z.string(),
    locale: z.string(),
    format: z.enum([...exportFormats, 'unknown']),
    holds: z.literal(true).optional().meta({
      description: 'The lines of holds and releases are in the file',
    }),
    rows: z.int(),
    rowsDone: z.int(),
    bytes: z.int().optional(),
    sha256: z.string().optional(),
    requestedBy: uuid.meta({ description: 'The id of a user' }),
    createdAt: time,
    finishedAt: time.optional(),
    expiresAt: time.optional().meta({ description: 'The file is deleted then' }),
    failure: z.string().optional(),
    mail: z.enum(['waiting', 'sent', 'failed']).optional(),
    mailFailure: z.string().optional(),
    dryRun: z.literal(true).optional(),
  })
  .meta({ id: 'Export' });

const id = '3b1f7f0e-58c4-4b0c-8d0e-0a6d5a1c9f27';
export const queuedExample = {
  ...{ id, status: 'queued', userId: '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11' },
  walletId: '5b0f7a3d-56d0-5e35-9c2f-a3a2f7c1d9a4',
  currency: 'BRL',
  from: '2026-01-01T00:00:00.000-03:00',
  to: '2026-04-01T00:00:00.000-03:00',
  ...{ timezone: 'America/Sao_Paulo', locale: 'en', format: 'csv', rows: 0, rowsDone: 0 },
  requestedBy: '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11',
  createdAt: '2026-11-22T21:42:10.123Z',
};
export const doneExample = {
  ...queuedExample,
  ...{ status: 'done', rows: 1_204, rowsDone: 1_204, bytes: 118_250 },
  sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  finishedAt: '2026-11-22T21:42:11.456Z',
  expiresAt: '2026-12-22T21:42:11.456Z',
};

/** What an export is asked for with. */
export const exportRequestShape = z.strictObject({
  user,
  currency: currency.optional(),
  ...rangeFields,
  locale: z.enum(exportLocales).optional().meta({ description: 'Of a CSV file; default `en`' }),
  format: z.enum(exportFormats).optional().meta({ description: 'Default `csv`' }),
  byteOrderMark: z.boolean().optional().meta({ description: 'For spreadsheets; CSV only' }),
  holds: z.boolean().optional().meta({
    description: 'Also the lines of holds and releases; not for `hledger`',
  }),
  email: z.boolean().optional().meta({ description: 'Mail the file to the wallet’s owner' }),
  dryRun: z.boolean().optional(),
});
