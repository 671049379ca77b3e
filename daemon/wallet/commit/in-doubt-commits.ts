import type { Rejection } from '../../../core/reasons.ts';
import type { Command, Decision, Entry, States } from '../domain.ts';

/** In-doubt commits: whether the database committed them is unknown, since COMMIT got no answer. */
export type InDoubtCommits = {
  /** Keeps what an in-doubt commit decided: it holds if it was committed. */
  add(commands: readonly Command[], decisions: readonly Decision[]): void;
  /** True for an entry that an in-doubt commit wrote for this command. */
  wrote(command: Command, entry: Entry): boolean;
  /**
   * The command, with what it was refused with by an in-doubt commit that was committed: one of the
   * entries found is that commit's. Decided once more, it would come behind commands that it was
   * decided before, and could be accepted.
   */
  withRefusal<C extends Command>(command: C, found: States['entries']): C;
};

type Refusal = { readonly rejection: Rejection; readonly beside: ReadonlySet<string> };

/** Entries are known by their hashes; what is kept is kept as long as its command. */
export function createInDoubtCommits(): InDoubtCommits {
  const hashesOf = new WeakMap<Command, Set<string>>();
  const refusalsOf = new WeakMap<Command, Refusal[]>();
  return {
    add: (commands, decisions) => {
      const beside = new Set<string>();
      commands.forEach((command, i) => {
        const decision = decisions[i];
        if (decision?.kind === 'accepted') {
          const hashes = hashesOf.get(command) ?? new Set();
          for (const { hash } of decision.entries) {
            hashes.add(hash);
            beside.add(hash);
          }
          hashesOf.set(command, hashes);
        } else if (decision?.kind === 'rejected') {
          const { rejection } = decision;
          refusalsOf.set(command, [...(refusalsOf.get(command) ?? []), { rejection, beside }]);
        }
      });
    },
    wrote: (command, { hash }) => hashesOf.get(command)?.has(hash) ?? false,
    withRefusal: (command, found) => {
      const refusals = refusalsOf.get(command);
      if (!refusals) return command;
      const hashes = [...found.values()].flat().map(({ hash }) => hash);
      const held = refusals.find(({ beside }) => hashes.some((hash) => beside.has(hash)));
      return held ? { ...command, refusedIfNew: held.rejection } : command;
    },
  };
}
