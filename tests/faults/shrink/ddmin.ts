/** True if what is looked for still happens with these items. */
export type IsFailing<T> = (items: readonly T[]) => Promise<boolean>;

/**
 * Delta debugging (ddmin of Zeller and Hildebrandt): a part of the list, in its order, that still
 * fails and from which no single item can be left out. The list itself must fail. Parts that were
 * tried are not tried again.
 */
export async function ddmin<T>(list: readonly T[], isFailing: IsFailing<T>): Promise<readonly T[]> {
  const places = new Map(list.map((item, place) => [item, place]));
  const tried = new Map<string, Promise<boolean>>();
  const fails: IsFailing<T> = (items) => {
    const name = items.map((item) => places.get(item)).join();
    const known = tried.get(name) ?? isFailing(items);
    tried.set(name, known);
    return known;
  };
  if (list.length > 0 && (await fails([]))) return [];
  let left = list;
  let count = 2;
  while (left.length > 1) {
    const chunks = split(left, count);
    const part = await findFirst(chunks, fails);
    if (part) {
      [left, count] = [part, 2];
      continue;
    }
    const rests = chunks.map((chunk) => left.filter((item) => !chunk.includes(item)));
    // Of two chunks each is the rest of the other one.
    const rest = count > 2 ? await findFirst(rests, fails) : undefined;
    if (rest) [left, count] = [rest, Math.max(count - 1, 2)];
    else if (count < left.length) count = Math.min(count * 2, left.length);
    else break;
  }
  return left;
}

/** The lowest number from `min` to `max` that fails, if all above one that fails do; `max` must. */
export async function findLeast(
  min: number,
  max: number,
  isFailing: (value: number) => Promise<boolean>,
): Promise<number> {
  let [low, high] = [min, max];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (await isFailing(middle)) high = middle;
    else low = middle + 1;
  }
  return high;
}

/** So many parts of about equal length. */
const split = <T>(list: readonly T[], count: number): readonly (readonly T[])[] =>
  Array.from({ length: count }, (_, i) =>
    list.slice(Math.floor((i * list.length) / count), Math.floor(((i + 1) * list.length) / count)),
  );

async function findFirst<T>(
  lists: readonly (readonly T[])[],
  isFailing: IsFailing<T>,
): Promise<readonly T[] | undefined> {
  for (const list of lists) if (await isFailing(list)) return list;
  return undefined;
}
