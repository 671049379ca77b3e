import type { Command, Decision, Entry } from '../domain.ts';

/** In-doubt commits: whether the database committed them is unknown, since COMMIT got no answer. */
export type InDoubtCommits = {
  /** Keeps the entries that an in-doubt commit wrote if it was committed. */
  add(commands: readonly Command[], decisions: readonly Decision[]): void;
  /** True for an entry that an in-doubt commit wrote for this command. */
  wrote(command: Command, entry: Entry): boolean;
};

/** Entries are known by their hashes; they are kept as long as their command. */
export function createInDoubtCommits(): InDoubtCommits {
  const hashesOf = new WeakMap<Command, Set<string>>();
  return {
    add: (commands, decisions) =>
      commands.forEach((command, i) => {
        const decision = decisions[i];
        if (decision?.kind !== 'accepted') return;
        const hashes = hashesOf.get(command) ?? new Set();
        for (const entry of decision.entries) hashes.add(entry.hash);
        hashesOf.set(command, hashes);
      }),
    wrote: (command, { hash }) => hashesOf.get(command)?.has(hash) ?? false,
  };
}
