import { describeAborted } from '../../core/messages/atomic-groups.ts';
import type { Reason } from '../../core/reasons.ts';
import { addToOverlay, newOverlay, overlayStates, type Overlay } from './domain-overlay.ts';
import { reject } from './domain-refusals.ts';
import type { DecidedBatch } from './domain-types.ts';
import { usedKey, walletsOf, type Command, type Decision, type States } from './domain.ts';

type Decide = (states: States, commands: readonly Command[], nowMs: number) => DecidedBatch;
type Deciders = {
  /** Decides commands without groups, one after the other. */
  readonly decideEach: Decide;
  /** Releases holds of the commands' wallets whose time is over. */
  readonly releaseAll: Decide;
};

/** Commands that stand side by side: of one group, or of none. */
type Stretch = { readonly commands: readonly Command[]; readonly isGroup: boolean };

export const hasGroup = ({ more }: Command): boolean => more?.group !== undefined;

/**
 * Decides a batch that has atomic groups, one after the other with what stands between them. Each
 * part sees what the earlier ones did. What a group does is dropped unless all its commands can be
 * done, but for releases of holds whose time is over: what was decided by them stays true.
 */
export function decideWithGroups(
  states: States,
  commands: readonly Command[],
  nowMs: number,
  { decideEach, releaseAll }: Deciders,
): DecidedBatch {
  const overlay = newOverlay();
  const decided = createBatch();
  const add = (part: readonly Command[], decide: Decide): void => {
    const batch = decide(currentStates(states, overlay, part, nowMs), part, nowMs);
    addToOverlay(overlay, batch);
    decided.add(batch);
  };
  for (const { commands: part, isGroup } of splitGroups(commands)) {
    if (isGroup && states.due.size > 0) add(part, releaseAll);
    add(part, isGroup ? decideGroupBy(decideEach) : decideEach);
  }
  return decided.finish();
}

/**
 * A group on these states: done as its commands would be one by one, or refused as a whole. It is a
 * replay only if all its commands were done before in a group of this id.
 */
const decideGroupBy =
  (decideEach: Decide): Decide =>
  (states, commands, nowMs) => {
    const known = commands.map(({ transactionId }) => states.entries.has(transactionId));
    const firstKnown = known.indexOf(true);
    if (firstKnown >= 0 && known.includes(false))
      return refuseGroup(commands, firstKnown, undefined);
    const batch = decideEach(states, commands.map(withoutGroup), nowMs);
    // A key that two of its commands have is the second's fault.
    const wanted = firstKnown < 0 ? 'accepted' : 'replayed';
    const refused = batch.decisions.filter(({ kind }) => kind !== wanted);
    // A group that was refused before brings its refusals: most of them only name the cause.
    const cause = refused.find((decision) => !isAborted(decision)) ?? refused[0];
    return cause ? refuseGroup(commands, batch.decisions.indexOf(cause), cause) : batch;
  };

const isAborted = (decision: Decision): boolean =>
  decision.kind === 'rejected' && decision.rejection.reason === 'GROUP_ABORTED';

/** The command at `failed` is refused for what it is itself, the others for that. */
function refuseGroup(
  commands: readonly Command[],
  failed: number,
  decision: Decision | undefined,
): DecidedBatch {
  const cause = decision?.kind === 'rejected' ? decision : refuseUsedKey(commands[failed]);
  const others = groupAborted(failed, cause.rejection.reason);
  const decisions = commands.map((_command, i) => (i === failed ? cause : others));
  return { decisions, implied: [], changed: [], holds: [] };
}

/** What a command of a group is refused with for another one, which was refused by itself. */
export function groupAborted(item: number, reason: Reason) {
  const { message, metadata } = describeAborted(item, reason);
  return reject('GROUP_ABORTED', message, metadata);
}

const refuseUsedKey = (command: Command | undefined) =>
  reject(
    'IDEMPOTENCY_KEY_REUSED',
    'this idempotency key was used before, and other items of the group are new: give all items of ' +
      'a new group new keys',
    {
      field: 'idempotency_key',
      ...(command ? { transactionId: command.transactionId } : {}),
    },
  );

/** The same command by itself; its entry still has the id of the group. */
function withoutGroup(command: Command): Command {
  const { group: _group, ...more } = command.more ?? {};
  return { ...command, more };
}

/** Throws if commands of a group are missing. */
function splitGroups(commands: readonly Command[]): readonly Stretch[] {
  const stretches: Stretch[] = [];
  for (let start = 0; start < commands.length;) {
    const group = commands[start]?.more?.group;
    let end = start + 1;
    while (end < commands.length && commands[end]?.more?.group === group) end += 1;
    if (group && end - start !== group.size) throw new Error('a group is not complete');
    stretches.push({ commands: commands.slice(start, end), isGroup: group !== undefined });
    start = end;
  }
  return stretches;
}

/** As many commands from the first on, without a part of a group. */
export function takeWholeGroups(commands: readonly Command[], limit: number): readonly Command[] {
  const group = commands[limit]?.more?.group;
  if (!group) return commands.slice(0, limit);
  return commands.slice(
    0,
    commands.findIndex(({ more }) => more?.group === group),
  );
}

/** The states that a part is decided on, without what only other parts concern. */
function currentStates(
  states: States,
  overlay: Overlay,
  commands: readonly Command[],
  nowMs: number,
): States {
  const wallets: Copy<States['wallets']> = new Map();
  const entries: Copy<States['entries']> = new Map();
  const used: Copy<States['used']> = new Map();
  for (const command of commands) {
    const { wallet, transactionId, parentId = '' } = command;
    for (const { id } of walletsOf(command)) copy(states.wallets, wallets, id);
    for (const id of [transactionId, parentId]) copy(states.entries, entries, id);
    copy(states.used, used, usedKey(wallet.id, parentId));
  }
  return overlayStates(overlay, { ...states, wallets, entries, used }, commands, nowMs);
}

type Copy<M> = M extends ReadonlyMap<infer Key, infer Value> ? Map<Key, Value> : never;

function copy<Value>(from: ReadonlyMap<string, Value>, to: Map<string, Value>, key: string): void {
  const value = from.get(key);
  if (value !== undefined) to.set(key, value);
}

/** What several parts decided, as one batch. */
function createBatch() {
  const decisions: Decision[] = [];
  const implied: DecidedBatch['implied'][number][] = [];
  const changed = new Map<string, DecidedBatch['changed'][number]>();
  const holds = new Map<string, DecidedBatch['holds'][number]>();
  return {
    add: (batch: DecidedBatch): void => {
      decisions.push(...batch.decisions);
      implied.push(...batch.implied);
      for (const wallet of batch.changed) changed.set(wallet.id, wallet);
      for (const hold of batch.holds) holds.set(`${hold.walletId} ${hold.id}`, hold);
    },
    finish: (): DecidedBatch => ({
      decisions,
      implied,
      changed: [...changed.values()],
      holds: [...holds.values()],
    }),
  };
}
