import { isUuid } from '../ids.ts';

/** Items of one atomic group at most. */
export const maxGroupSize = 16;

/** Items from `start` to before `end` that have the same group id, side by side. */
export type GroupRun = { readonly groupId: string; readonly start: number; readonly end: number };

/** The groups of a message, by what each item has as its group id: undefined for none. */
export function findGroupRuns(groupIds: readonly (string | undefined)[]): readonly GroupRun[] {
  const runs: GroupRun[] = [];
  for (let start = 0; start < groupIds.length;) {
    const groupId = groupIds[start];
    let end = start + 1;
    while (end < groupIds.length && groupIds[end] === groupId) end += 1;
    if (groupId !== undefined) runs.push({ groupId, start, end });
    start = end;
  }
  return runs;
}

/** Why items are no group, as what follows the name of the field; undefined if they are one. */
export function findGroupProblem(
  { groupId, start, end }: GroupRun,
  runs: readonly GroupRun[],
): string | undefined {
  if (!isUuid(groupId)) return 'must be a UUID';
  const size = end - start;
  if (size > maxGroupSize) return `is on ${size} items: a group has at most ${maxGroupSize}`;
  return runs.filter((run) => run.groupId === groupId).length > 1
    ? 'is on items that are apart: those of a group stand side by side'
    : undefined;
}

/** The refusal GROUP_ABORTED of an item for another one, which counts from 0 within the group. */
export const describeAborted = (item: number, reason: string) => ({
  message: `nothing of the group was done: item ${item + 1} of it was refused (${reason})`,
  metadata: { item: String(item), reason },
});

/**
 * The results of a group of which the item `failed` was refused: all that were not refused by
 * themselves are `aborted`. The same results where none was refused.
 */
export function abortOthers<Result extends { readonly ok: boolean }>(
  results: readonly Result[],
  abortFor: (failed: number, cause: Extract<Result, { ok: false }>) => Result,
): readonly Result[] {
  const failed = results.findIndex(({ ok }) => !ok);
  const cause = results[failed];
  if (!cause || isOk(cause)) return results;
  const aborted = abortFor(failed, cause as Extract<Result, { ok: false }>);
  return results.map((result) => (isOk(result) ? aborted : result));
}

const isOk = ({ ok }: { readonly ok: boolean }): boolean => ok;
