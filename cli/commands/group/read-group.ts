import { hash } from 'node:crypto';

import { canonicalUuid, uuidV5 } from '../../../core/ids.ts';
import { maxGroupSize } from '../../../core/messages/atomic-groups.ts';
import type { Context } from '../../context.ts';
import { exitCodes, fail, failUsage, succeed, type Outcome } from '../../outcome.ts';
import { prepareRow, refuseSameKey } from '../batch/prepare.ts';
import { checkRow, isValid, type CheckedRow, type InvalidRow } from '../batch/rows/check.ts';
import { isItemRow, type ItemRow } from '../batch/rows/chunk.ts';
import type { BatchInput } from '../batch/rows/input.ts';
import { contentOf, createOwnKeys } from '../batch/rows/keys.ts';
import { InputError, type RawRow } from '../batch/rows/raw-row.ts';
import { readRows } from '../batch/rows/rows.ts';
import { createBatchUsers, failLookUp } from '../batch/rows/users.ts';
import { isStaff } from '../money/confirm.ts';
import { identifyActor, resolveUser, type Actor } from '../users/actor.ts';
import type { GroupFile } from './check-options.ts';

/** The rows of a file, checked, with the ids of their users. */
export type GroupRows = {
  readonly self: Actor;
  readonly rows: readonly ItemRow[];
  /** What each row moves, and its own key. */
  readonly contents: readonly string[];
};

/** A group that can be sent. */
export type NamedGroup = GroupFile & {
  readonly id: string;
  readonly rows: readonly ItemRow[];
};

/** Reads and checks all rows. May throw InputError; nothing was sent. */
export async function readGroup(
  context: Context,
  group: GroupFile,
  input: BatchInput,
): Promise<Outcome<GroupRows>> {
  const raws = await readAll(group, input);
  const self = await identifyActor(context);
  if (!self.ok) return self;
  if (!self.value) return fail('UNEXPECTED', 'the server answered without a user');
  const user = await resolveUser(context, group.user, true);
  if (!user.ok) return user.failure.exitCode === exitCodes.notAllowed ? failLookUp : user;
  const ownKeys = createOwnKeys();
  const defaults = {
    ...{ currency: group.currency, user: user.value?.id },
    ...{ isStaff: isStaff(self.value.role), isKeyNeeded: false, isGroup: true },
  };
  const checked = raws.map((raw) => refuseSameKey(checkRow(raw, defaults), ownKeys));
  const valid = checked.filter(isValid);
  const userIds = await createBatchUsers(context, self.value).resolve(valid);
  if (!userIds.ok) return userIds;
  const contents: string[] = [];
  const keys = {
    keyOf: (row: CheckedRow, userId: string, toUserId: string | undefined): string => {
      contents.push(JSON.stringify([contentOf(row, userId, toUserId), row.key]));
      return row.key ?? '';
    },
  };
  const rows: ItemRow[] = [];
  const invalid: InvalidRow[] = [];
  for (const row of checked) {
    const prepared = isValid(row) ? prepareRow(row, userIds.value, keys) : row;
    if (isItemRow(prepared)) rows.push(prepared);
    else invalid.push(prepared);
  }
  if (invalid.length > 0) return failInvalid(context, invalid);
  return succeed({ self: self.value, rows, contents });
}

async function readAll(
  { format, delimiter }: GroupFile,
  input: BatchInput,
): Promise<readonly RawRow[]> {
  const options = { format, delimiter, isPiped: input.isPiped, isKeyNeeded: false };
  const raws: RawRow[] = [];
  for await (const rows of readRows(input.read(), options).rows) {
    raws.push(...rows);
    if (raws.length > maxGroupSize) throw tooLarge;
  }
  if (raws.length === 0) throw new InputError('has no rows; nothing was sent');
  return raws;
}

const tooLarge = new InputError(
  `has more than ${maxGroupSize} rows, the most that a group can have; nothing was sent`,
  'for rows that need not happen together: wallet batch run',
);

/** All of them are named, the first also as the failure. */
async function failInvalid(
  context: Context,
  invalid: readonly InvalidRow[],
): Promise<Outcome<never>> {
  const describe = ({ row, message }: InvalidRow): string => `row ${row}: ${message}`;
  const [first, ...others] = invalid;
  if (!first) throw new Error('no row is invalid');
  for (const row of others) await context.reporter.warnAlways(describe(row));
  const failed = failUsage(first.field, `${describe(first)}; nothing was sent`);
  return { ok: false, failure: { ...failed.failure, reason: first.reason } };
}

/** Namespace of groups: UUIDv5 of the DNS namespace and `group.digital-wallet`. */
const groupNamespace = uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'group.digital-wallet');

/** The key of the row at a place, from 0, that has none of its own. */
export const keyOfRow = (groupId: string, place: number): string =>
  uuidV5(groupNamespace, `${groupId} ${place}`);

/**
 * Gives the group its id and its rows their keys. With a name they follow from the name and the
 * places of the rows, so that the name stands for one group for ever; without one, from the rows.
 */
export function nameGroup(group: GroupFile, { rows, contents }: GroupRows): NamedGroup {
  const { name } = group;
  const id =
    name === undefined
      ? uuidV5(groupNamespace, `rows ${hash('sha256', JSON.stringify(contents))}`)
      : (canonicalUuid(name) ?? uuidV5(groupNamespace, `name ${name}`));
  return {
    ...group,
    id,
    rows: rows.map((row, i) => {
      const key = row.item.idempotencyKey || keyOfRow(id, i);
      return { ...row, item: { ...row.item, groupId: id, idempotencyKey: key } };
    }),
  };
}
