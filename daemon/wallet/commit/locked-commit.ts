import type { Result } from '../../../core/reasons.ts';
import {
  isCommitInDoubt,
  isLockTimeout,
  readClock,
  type Db,
  type Tx,
} from '../../platform/db/db.ts';
import { isBehind } from './behind.ts';
import type { Busy } from './commit-items.ts';
import { newWallet, walletsOf, type States, type WalletRef, type WalletState } from '../domain.ts';
import { decideBatch } from '../domain-batch.ts';
import type { AuditedDecision, AuditedCommand } from '../requests/audited-command.ts';
import { findUnopened } from '../store/read-wallet.ts';
import type { DefaultLimits, Lasting } from '../store/rare-states.ts';
import { distinctWallets, readStates } from '../store/states.ts';
import { readWallets, waitBriefly } from '../store/store.ts';
import { openWallets } from '../store/writes.ts';
import type { InDoubtCommits } from './in-doubt-commits.ts';
import { updateLocked } from './locked-updates.ts';
import { nothingDecided, persistDecisions } from './persist-decisions.ts';
import { findToOpen, refsToOpen, type WalletOpenings } from './wallet-openings.ts';

/** What a commit did: an answer for each command, and the wallets as they are after it. */
export type Committed = {
  readonly answers: readonly (Result<AuditedDecision> | Busy)[];
  readonly changed: readonly WalletState[];
  /** What was debited before calendar windows, where limits were looked at. */
  readonly lasting?: Lasting;
  /** What was read of the wallets; none where nothing was. */
  readonly states?: States;
  /** To be called if its callers do not get these answers, and the same commands are retried. */
  readonly markInDoubt?: () => void;
};

/** The database and what commits keep in memory, once for each process. */
export type CommitContext = {
  readonly db: Db;
  readonly openings: WalletOpenings;
  readonly inDoubt: InDoubtCommits;
  /** Of wallets that have no spending limits of their own. */
  readonly defaultLimits: DefaultLimits;
};

/** The wallets of a batch that are locked, and those that other transactions have locked. */
type Locked = { readonly wallets: readonly WalletState[]; readonly busy: ReadonlySet<string> };
type LockWallets = (tx: Tx, commands: readonly AuditedCommand[]) => Promise<Locked>;

/**
 * Commits a batch in one transaction: open, lock, read, decide, write, with its outbox row and its
 * lines in the audit log. After a lost answer to COMMIT the same commands are committed again.
 */
export const commitLocked = (
  context: CommitContext,
  commands: readonly AuditedCommand[],
): Promise<Committed> => commitWith(context, commands, lockAll(context));

/**
 * The same without the commands whose wallets another transaction has locked: their answer is
 * `busy`. Wallets are opened by an insert, which cannot skip what another transaction inserts at
 * the moment: where one has to wait, some of them are opened one by one, and the others are `busy`
 * too. Those that had to wait are put down in `openings`, and left out for a moment.
 */
export async function commitUnlocked(
  context: CommitContext,
  commands: readonly AuditedCommand[],
): Promise<Committed> {
  const { openings } = context;
  try {
    return await commitWith(context, commands, briefly(lockFree(context)));
  } catch (err) {
    if (!isLockTimeout(err)) throw err;
  }
  const first = await commitWith(context, commands, briefly(lockKnown(context)));
  const done = [first];
  const answers = [...first.answers];
  const left = commands.filter((_command, i) => typeof answers[i] === 'string');
  const endsAtMs = performance.now() + maxOpeningMs;
  for (const ref of refsToOpen(left).filter(({ id }) => !openings.isElsewhere(id))) {
    if (performance.now() >= endsAtMs) break;
    const { places, own } = findFirstOf(ref, commands, answers);
    const lock = briefly(lockFree(context), openingWaitMs);
    const opened = await commitWith(context, own, lock).catch((err: unknown) => {
      if (isLockTimeout(err)) return undefined;
      if (!isCommitInDoubt(err)) return 'failed' as const;
      for (const committed of done) committed.markInDoubt?.();
      throw err;
    });
    if (!opened) openings.noteElsewhere(ref.id);
    // What is committed has its answer; what failed is tried again with what is left.
    if (opened === 'failed') break;
    if (!opened) continue;
    done.push(opened);
    places.forEach((place, i) => (answers[place] = opened.answers[i] ?? 'busy'));
  }
  return { ...first, answers, changed: done.flatMap(({ changed }) => changed) };
}

/** What still waits for this wallet, but for what is behind a command that waits for another. */
function findFirstOf(
  ref: WalletRef,
  commands: readonly AuditedCommand[],
  answers: readonly (Result<AuditedDecision> | Busy)[],
) {
  const places: number[] = [];
  const own: AuditedCommand[] = [];
  const blocked = new Set<string>();
  commands.forEach((command, place) => {
    if (typeof answers[place] !== 'string') return;
    const ids = idsOf(command);
    if (ids.includes(ref.id) && !ids.some((id) => blocked.has(id))) {
      places.push(place);
      own.push(command);
    } else for (const id of ids) blocked.add(id);
  });
  return { places, own };
}

const idsOf = (command: AuditedCommand): readonly string[] =>
  walletsOf(command).map(({ id }) => id);

/** How long one commit opens wallets one by one, and waits for each. */
const maxOpeningMs = 200;
const openingWaitMs = 2;

/**
 * Commits as `commitOnce` does. A refusal for a wallet that is not open holds only if no other
 * transaction is opening it: that one may hang in its COMMIT, and have done what is refused here.
 */
async function commitWith(
  context: CommitContext,
  commands: readonly AuditedCommand[],
  lock: LockWallets,
): Promise<Committed> {
  const isProven = new Set<string>();
  const opening = new Set<string>();
  const lockOthers: LockWallets = async (tx) => {
    const others = commands.filter((command) => !idsOf(command).some((id) => opening.has(id)));
    const { wallets, busy } = await lock(tx, others);
    return { wallets, busy: new Set([...busy, ...opening]) };
  };
  for (;;) {
    const committed = await commitOnce(context, commands, lockOthers, isProven);
    if (!('unproven' in committed)) return committed;
    const unopened = await findUnopened(context.db, committed.unproven);
    for (const { id } of committed.unproven) (unopened.has(id) ? isProven : opening).add(id);
  }
}

/** Gives `unproven` if refusals need a proof that these wallets are not being opened. */
async function commitOnce(
  { db, inDoubt, defaultLimits }: CommitContext,
  commands: readonly AuditedCommand[],
  lock: LockWallets,
  isProven: ReadonlySet<string>,
): Promise<Committed | { readonly unproven: readonly WalletRef[] }> {
  let decided = nothingDecided;
  let free: readonly AuditedCommand[] = [];
  let unproven: readonly WalletRef[] = [];
  const work = async (tx: Tx): Promise<Committed> => {
    const { wallets, busy } = await lock(tx, commands);
    const isHeld = isBehind(busy, idsOf);
    const held = new Set(commands.filter(isHeld));
    free = held.size === 0 ? commands : commands.filter((command) => !held.has(command));
    const clockMs = await readClock(tx);
    const states = await readStates(tx, free, wallets, clockMs, defaultLimits);
    const asked = free.map((command) => inDoubt.withRefusal(command, states.entries));
    decided = decideBatch(states, asked, clockMs);
    const { changed } = decided;
    const refused = free.filter((_command, i) => decided.decisions[i]?.kind === 'rejected');
    const isAbsent = ({ id }: WalletRef): boolean => !states.wallets.has(id) && !isProven.has(id);
    unproven = distinctWallets(refused).filter(isAbsent);
    // Rolls back: nothing may be written before the proof.
    if (unproven.length > 0) throw new Error('refusals are not proven yet');
    await updateLocked(tx, free, decided, { read: wallets, states });
    const posted = await persistDecisions(tx, free, decided, inDoubt);
    let next = 0;
    const answers = commands.map((command): Result<AuditedDecision> | Busy => {
      if (!held.has(command)) return posted[next++] ?? 'busy';
      return idsOf(command).some((id) => busy.has(id)) ? 'busy' : 'behind';
    });
    return { answers, changed, states, markInDoubt };
  };
  const markInDoubt = (): void => inDoubt.add(free, decided.decisions);
  try {
    return await db.tx(work);
  } catch (err) {
    if (unproven.length > 0) return { unproven };
    if (isCommitInDoubt(err)) markInDoubt();
    throw err;
  }
}

/** All, but for those that are being opened elsewhere. */
const lockAll =
  ({ openings: { isElsewhere }, defaultLimits }: CommitContext): LockWallets =>
  async (tx, commands) => {
    const toOpen = await findToOpen(tx, commands, defaultLimits);
    const refs = distinctWallets(commands);
    const busy = new Set(refs.map(({ id }) => id).filter(isElsewhere));
    await openWallets(tx, toOpen.filter(({ id }) => !busy.has(id)).map(newWallet));
    const free = refs.filter(({ id }) => !busy.has(id));
    return { wallets: await readWallets(tx, free, 'wait'), busy };
  };

/** Those that exist and are free, and those that were not there. */
const lockFree =
  ({ openings: { isElsewhere }, defaultLimits }: CommitContext): LockWallets =>
  async (tx, commands) => {
    const known = await lockExisting(tx, commands);
    const absent = new Set(known.absent.map(({ id }) => id));
    const wanted = (await findToOpen(tx, commands, defaultLimits)).filter(({ id }) =>
      absent.has(id),
    );
    const toOpen = wanted.filter(({ id }) => !isElsewhere(id));
    await openWallets(tx, toOpen.map(newWallet));
    const opened = await readWallets(tx, toOpen, 'skip');
    return { wallets: [...known.wallets, ...opened], busy: difference(known.busy, wanted, opened) };
  };

/** Those that exist and are free; what would open a wallet waits. */
const lockKnown =
  ({ defaultLimits }: CommitContext): LockWallets =>
  async (tx, commands) => {
    const known = await lockExisting(tx, commands);
    const absent = new Set(known.absent.map(({ id }) => id));
    const wanted = await findToOpen(tx, commands, defaultLimits);
    const toOpen = wanted.filter(({ id }) => absent.has(id));
    return { wallets: known.wallets, busy: difference(known.busy, toOpen, []) };
  };

/** Waits for any lock only so long, and fails by it. */
const briefly =
  (lock: LockWallets, waitMs?: number): LockWallets =>
  async (tx, commands) => {
    await waitBriefly(tx, waitMs);
    return lock(tx, commands);
  };

/** Opened wallets, as far as they are free; `absent` are those that do not exist. */
async function lockExisting(tx: Tx, commands: readonly AuditedCommand[]) {
  const refs = distinctWallets(commands);
  const wallets = await readWallets(tx, refs, 'skip');
  const ids = new Set(wallets.map(({ id }) => id));
  const left = refs.filter(({ id }) => !ids.has(id));
  const seen = await readWallets(tx, left, 'none');
  const busy = new Set(seen.map(({ id }) => id));
  return { wallets, busy, absent: left.filter(({ id }) => !busy.has(id)) };
}

function difference(
  busy: ReadonlySet<string>,
  asked: readonly WalletRef[],
  had: readonly WalletState[],
): ReadonlySet<string> {
  const ids = new Set(had.map(({ id }) => id));
  return new Set([...busy, ...asked.map(({ id }) => id).filter((id) => !ids.has(id))]);
}
