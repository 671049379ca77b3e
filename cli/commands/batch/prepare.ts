import { createHash, type Hash } from 'node:crypto';

import { isUuid } from '../../../core/ids.ts';
import { AuthServiceService } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { fail, succeed, type Outcome } from '../../outcome.ts';
import type { Actor } from '../users/actor.ts';
import { checkRow, isValid, type CheckedRow, type RowDefaults } from './rows/check.ts';
import type { Progress } from './results/run-files.ts';
import { createKeyMaker, type KeyMaker } from './rows/keys.ts';
import { InputError, type RawRow, type RowReader } from './rows/rows.ts';
import {
  countFitting,
  isItemRow,
  maxBytes,
  maxRows,
  sizeOf,
  type Chunk,
  type PreparedRow,
} from './rows/chunk.ts';
import { operationNumbers } from '../../../lib/json/names.ts';

export type SourceOptions = {
  readonly context: Pick<Context, 'caller'>;
  readonly reader: RowReader;
  readonly defaults: RowDefaults;
  readonly batchId: string | undefined;
  readonly self: Actor;
  /** Where an earlier run ended: rows up to there are read, and not sent again. */
  readonly resumed: Progress | undefined;
};

/** The most users that may be asked for at once. */
const maxAsked = 1_000;
const maxKnownUsers = 100_000;

/**
 * Reads, checks and names rows, a chunk at a time; first those that an earlier run had deferred.
 * Throws InputError where the input is none.
 */
export async function* prepareChunks(options: SourceOptions): AsyncGenerator<Outcome<Chunk>, void> {
  const { reader, resumed } = options;
  const keys = createKeyMaker(options.batchId);
  const users = createUsers(options);
  const digest = createHash('sha256');
  const late: PreparedRow[] = [];
  for await (const rawRows of reader.rows) {
    for (const raws of cut(rawRows, resumed?.row ?? 0)) {
      digest.update(raws.map(toDigested).join(''));
      const checked = raws.map((raw) => checkRow(raw, options.defaults));
      const known = await users.resolve(checked.filter(isValid));
      if (!known.ok) {
        yield known;
        return;
      }
      const rows = checked.map((row) => (isValid(row) ? prepare(row, known.value, keys) : row));
      const last = raws.at(-1)?.row ?? 0;
      if (resumed && last <= resumed.row) {
        late.push(...markSent(rows, resumed).filter(({ row }) => resumed.deferred.has(row)));
        if (last < resumed.row) continue;
        checkSame(digest, resumed);
        while (late.length > 0) {
          const first = late.splice(0, countFitting(late));
          yield succeed({ rows: first, digest: resumed.digest, isLate: true });
        }
        continue;
      }
      const hex = digest.copy().digest('hex');
      yield succeed({ rows: markSent(rows, resumed), digest: hex, isLate: false });
    }
  }
}

/** Pieces of at most so many rows and bytes; one ends where an earlier run ended. */
function* cut(rawRows: readonly RawRow[], resumedRow: number): Iterable<readonly RawRow[]> {
  let rows: RawRow[] = [];
  let bytes = 0;
  for (const raw of rawRows) {
    rows.push(raw);
    const { description, merchant, key } = raw.cells;
    bytes += sizeOf(description, merchant, key);
    if (rows.length < maxRows && bytes < maxBytes && raw.row !== resumedRow) continue;
    yield rows;
    rows = [];
    bytes = 0;
  }
  if (rows.length > 0) yield rows;
}

const toDigested = ({ row, cells, problem }: RawRow): string =>
  JSON.stringify([row, cells, problem]);

function checkSame(digest: Hash, resumed: Progress): void {
  if (digest.copy().digest('hex') === resumed.digest) return;
  throw new InputError(
    `the input has changed before row ${resumed.row + 1}, where the unfinished run stopped: start ` +
      'again with other --results; rows that were done keep their keys and are not paid again',
  );
}

/** Rows that an earlier run may have sent. */
function markSent(rows: PreparedRow[], resumed: Progress | undefined): PreparedRow[] {
  const sentRow = resumed?.sentRow ?? 0;
  for (const row of rows) if (isItemRow(row) && row.row <= sentRow) row.wasSent = true;
  return rows;
}

function prepare(
  row: CheckedRow,
  userIds: ReadonlyMap<string, string>,
  keys: KeyMaker,
): PreparedRow {
  const userId = row.user === undefined ? userIds.get('') : userIds.get(row.user);
  if (userId === undefined) {
    const message = `no user has the e-mail address ${row.user ?? ''}, or it is not verified`;
    return { row: row.row, reason: 'USER_NOT_FOUND', field: 'user', message };
  }
  const item = {
    userId,
    currency: row.currency,
    operation: operationNumbers[row.operation],
    amountMinor: row.amountMinor,
    parentId: row.parentId,
    description: row.description,
    merchant: row.merchant,
    metadata: {},
    idempotencyKey: keys.keyOf(row, userId),
  };
  return { row: row.row, userId, item, wasSent: false };
}

/** Users by what rows call them: ids stand for themselves, addresses are asked for in bulk. */
function createUsers({ context, self, defaults }: SourceOptions) {
  const known = new Map<string, string>();
  const seed = (): void => {
    known.clear();
    known.set('', self.id);
    if (self.email !== undefined) known.set(self.email.toLowerCase(), self.id);
  };
  seed();
  return {
    resolve: async (rows: readonly CheckedRow[]): Promise<Outcome<ReadonlyMap<string, string>>> => {
      if (known.size > maxKnownUsers) seed();
      const asked = new Set<string>();
      for (const { user } of rows) {
        if (user === undefined || known.has(user)) continue;
        if (isUuid(user)) known.set(user, user);
        else asked.add(user);
      }
      // For a customer no other user exists, whatever the address.
      if (asked.size === 0 || !defaults.isStaff) return succeed(known);
      for (const emails of toPages([...asked])) {
        const request = { userIds: [], emails };
        const found = await context.caller.call(AuthServiceService.resolveUsers, request, 'read');
        if (!found.ok) return found.failure.exitCode === 8 ? failLookUp : found;
        for (const { email, id } of found.value.users) known.set(email.toLowerCase(), id);
      }
      return succeed(known);
    },
  };
}

/** Addresses in as many requests as it takes: each has room for 1,000, and for so many bytes. */
function toPages(emails: readonly string[]): readonly string[][] {
  const pages: string[][] = [];
  let bytes = maxBytes;
  for (const email of emails) {
    bytes += 3 * email.length;
    if (bytes > maxBytes || pages.at(-1)?.length === maxAsked) {
      pages.push([]);
      bytes = 3 * email.length;
    }
    pages.at(-1)?.push(email);
  }
  return pages;
}

const failLookUp = fail('USAGE', 'this credential cannot look up users by e-mail address', {
  field: 'user',
  hint: 'use user ids, or a credential with the scope users:read',
});
