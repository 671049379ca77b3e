/**
 * A test for commands in their order: whether one must not overtake what holds these wallets. It
 * concerns one of them, or shares a wallet with an earlier command of which that is true.
 */
export function isBehind<Item>(
  held: ReadonlySet<string>,
  keysOf: (item: Item) => readonly string[],
): (item: Item) => boolean {
  if (held.size === 0) return () => false;
  const blocked = new Set(held);
  return (item) => {
    const keys = keysOf(item);
    if (!keys.some((key) => blocked.has(key))) return false;
    for (const key of keys) blocked.add(key);
    return true;
  };
}
