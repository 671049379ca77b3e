import { canonicalId } from '../../../core/ids.ts';
import {
  abortOthers,
  findGroupProblem,
  findGroupRuns,
  type GroupRun,
} from '../../../core/messages/atomic-groups.ts';
import { refuse, type Result } from '../../../core/reasons.ts';
import type { TransactionItem } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { walletsOf, type AtomicGroup, type Command, type WalletRef } from '../domain.ts';
import { groupAborted } from '../domain-groups.ts';

type Item = Pick<TransactionItem, 'groupId' | 'userId' | 'currency' | 'idempotencyKey'>;

const findRuns = (items: readonly Item[]): readonly GroupRun[] =>
  findGroupRuns(items.map(groupIdOf));

/** The id of an item's group in its canonical form; undefined for an item by itself. */
export const groupIdOf = (item: Item): string | undefined =>
  item.groupId === undefined ? undefined : canonicalId(item.groupId);

/**
 * Makes the commands of a message groups where their items say so: all of them can be decided, or
 * none. INVALID_ARGUMENT with the field `group_id` for what is no group; GROUP_ABORTED for the
 * others where an item was refused.
 */
export function joinGroups(
  items: readonly Item[],
  read: readonly Result<Command>[],
): readonly Result<Command>[] {
  if (!items.some(({ groupId }) => groupId !== undefined)) return read;
  const runs = findRuns(items);
  const joined = [...read];
  for (const run of runs) {
    const { start, end } = run;
    const problem = findGroupProblem(run, runs);
    const refused = problem === undefined ? undefined : invalid(problem);
    const results = refused
      ? read.slice(start, end).map((result) => (isDenied(result) ? result : refused))
      : joinGroup(read.slice(start, end));
    joined.splice(start, end - start, ...results);
  }
  return joined;
}

/** A denial is for the audit log, whatever else is wrong. */
const isDenied = (result: Result<Command>): boolean =>
  !result.ok && result.rejection.isDenial === true;

function joinGroup(read: readonly Result<Command>[]): readonly Result<Command>[] {
  const failed = read.some(({ ok }) => !ok);
  if (failed) {
    return abortOthers(read, (item, { rejection }) => {
      const { reason } = rejection;
      return { ok: false, rejection: groupAborted(item, reason).rejection };
    });
  }
  const wallets = new Map<string, WalletRef>();
  for (const result of read) {
    if (result.ok) for (const ref of walletsOf(result.value)) wallets.set(ref.id, ref);
  }
  const group: AtomicGroup = { size: read.length, wallets: [...wallets.values()] };
  return read.map((result) =>
    result.ok
      ? { ok: true, value: { ...result.value, more: { ...result.value.more, group } } }
      : result,
  );
}

/** The refusal of a group id where there is one item only. */
export const groupOfOne = refuse(
  'INVALID_ARGUMENT',
  'group_id must be absent: a group is sent with BatchCreateTransactions or StreamTransactions',
  { field: 'group_id' },
);

export type GroupTail = ReturnType<typeof createGroupTail>;

/**
 * Finds groups that were cut by the end of a message of a stream: their first part was a group of
 * its own. The same group that is sent again is none.
 */
export function createGroupTail() {
  let last: { readonly groupId: string; readonly keys: ReadonlySet<string> } | undefined;
  return {
    /** The results of the next message's items, with the rest of a cut group refused. */
    check: (
      items: readonly Item[],
      read: readonly Result<Command>[],
    ): readonly Result<Command>[] => {
      const before = last;
      const runs = findRuns(items);
      const keysOf = ({ start, end }: GroupRun) => new Set(items.slice(start, end).map(nameOf));
      const [head] = runs;
      const tail = runs.at(-1);
      const isTail = tail?.end === items.length;
      if (items.length > 0) {
        last = isTail ? { groupId: tail.groupId, keys: keysOf(tail) } : undefined;
      }
      if (!before || head?.start !== 0 || head.groupId !== before.groupId) return read;
      if ([...keysOf(head)].some((key) => before.keys.has(key))) return read;
      if (head.end === items.length) last = before;
      return read.map((result, i) => (i < head.end && result.ok ? cut : result));
    },
  };
}

const nameOf = ({ userId, currency, idempotencyKey }: Item): string =>
  [userId, currency, idempotencyKey].join(' ');

const invalid = (problem: string) =>
  refuse('INVALID_ARGUMENT', `group_id ${problem}`, { field: 'group_id' });

const cut = invalid(
  'is that of the end of the message before: the items of a group are in one message',
);
