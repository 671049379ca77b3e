import type { Item } from '../commit-item.ts';

/** What one commit has: until it has ended, no other one has any of its wallets. */
export type Batch<Command, Answer> = {
  readonly items: Item<Command, Answer>[];
  /** What waits for a wallet of this batch, or behind something that does. */
  readonly behind: Set<Item<Command, Answer>>;
  /** Wallets that it does not have, and that are kept for what waits behind it. */
  readonly keptKeys: string[];
};

export const createBatch = <Command, Answer>(): Batch<Command, Answer> => ({
  items: [],
  behind: new Set(),
  keptKeys: [],
});

/** For each wallet the batch that its items wait for. */
export function createWalletOwners<Command, Answer>() {
  type OneItem = Item<Command, Answer>;
  type OneBatch = Batch<Command, Answer>;
  const owners = new Map<string, OneBatch>();
  const free = (keys: readonly string[], batch: OneBatch): void => {
    for (const key of keys) if (owners.get(key) === batch) owners.delete(key);
  };
  return {
    has: (batch: OneBatch, key: string): boolean => owners.get(key) === batch,
    /** Another batch for which an item with these wallets waits. */
    findOther: (keys: readonly string[], batch: OneBatch): OneBatch | undefined => {
      for (const key of keys) {
        const owner = owners.get(key);
        if (owner !== undefined && owner !== batch) return owner;
      }
      return undefined;
    },
    take: (item: OneItem, batch: OneBatch): void => {
      for (const key of item.keys) owners.set(key, batch);
      batch.items.push(item);
    },
    /** It waits for each batch that has one of its wallets, and keeps the free ones for it. */
    wait: (item: OneItem, blocker: OneBatch): void => {
      for (const key of item.keys) {
        const owner = owners.get(key);
        (owner ?? blocker).behind.add(item);
        if (owner) continue;
        owners.set(key, blocker);
        blocker.keptKeys.push(key);
      }
    },
    release: (batch: OneBatch): void => {
      for (const { keys } of batch.items) free(keys, batch);
      free(batch.keptKeys, batch);
    },
    /** From here on nothing waits: each wallet is its batch's, if one has it. */
    reset: (batches: Iterable<OneBatch>): void => {
      owners.clear();
      for (const batch of batches) {
        batch.behind.clear();
        batch.keptKeys.length = 0;
        for (const { keys } of batch.items) for (const key of keys) owners.set(key, batch);
      }
    },
  };
}
