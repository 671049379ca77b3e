import { accountOfUser } from '../../../core/contra-account.ts';
import { canonicalUuid } from '../../../core/ids.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import type {
  CloseWalletRequest,
  CloseWalletResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { deny } from '../../platform/access/access.ts';
import { recordRead } from '../../platform/audit/reads.ts';
import { isLockTimeout, readClock, type Tx } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { releaseDue } from '../commit/expired-holds.ts';
import { createInDoubtCommits } from '../commit/in-doubt-commits.ts';
import { persistDecisions } from '../commit/persist-decisions.ts';
import {
  isOpened,
  newWallet,
  walletsOf,
  type Command,
  type Entry,
  type States,
  type WalletRef,
  type WalletState,
} from '../domain.ts';
import { decideBatch } from '../domain-batch.ts';
import { corruptWallet, walletBusy } from '../domain-integrity.ts';
import { refuseHeld } from '../domain-status.ts';
import { outboxFull } from '../events/outbox-full.ts';
import { closingKey, withAudit } from '../requests/audit.ts';
import { checkOther } from '../requests/operation-rights.ts';
import { toCommand } from '../requests/request.ts';
import { noDefaultLimits, type DefaultLimits } from '../store/rare-states.ts';
import { readStates } from '../store/states.ts';
import { readWallets } from '../store/store.ts';
import { openWallets, updateWallets } from '../store/writes.ts';
import { toWireTransaction, toWireWallet } from '../wire.ts';
import {
  changeStatus,
  checkStatusRequest,
  setStatus,
  walletNotFound,
  type StatusOptions,
} from './change-status.ts';

export type CloseOptions = StatusOptions & {
  readonly isOutboxFull: () => boolean;
  /** New events are in the outbox. */
  readonly onEvents: () => void;
  readonly defaultLimits?: DefaultLimits;
};

/** A closed wallet, and the transfer of its balance. */
type Closed = {
  readonly wallet: WalletState;
  readonly entry: Entry | undefined;
  readonly isReplayed: boolean;
};

/**
 * CloseWallet. With a user who gets the balance, the transfer and the closing are one commit, and
 * the same key again moves and closes nothing more: the answer has the same transfer. Else as
 * `changeStatus`, and IDEMPOTENCY_KEY_REUSED, RECIPIENT_NOT_FOUND, and the refusals of a transfer.
 */
export async function closeWallet(
  options: CloseOptions,
  request: CloseWalletRequest,
  context: CallContext,
): Promise<Result<CloseWalletResponse>> {
  if (request.sweepToUserId === undefined) {
    const changed = await changeStatus(options, 'close', request, context);
    options.onEvents();
    return changed.ok
      ? succeed({ ...changed.value, transaction: undefined, replayed: false })
      : changed;
  }
  const ref = await checkStatusRequest(options, 'close', request, context);
  if (!ref.ok) return ref;
  const sweep = await readSweep(options, ref.value, request, context);
  if (!sweep.ok) return sweep;
  const closed = await sweepAndClose(options, sweep.value, request, context);
  const recorded = await recordUnchanged(options, ref.value, request, context, closed);
  if (!recorded.ok) return recorded;
  if (!closed.ok) return closed;
  const { wallet, entry, isReplayed } = closed.value;
  return succeed({
    wallet: toWireWallet(wallet),
    transaction: entry && toWireTransaction(entry),
    replayed: isReplayed,
  });
}

/** The transfer of the balance, whose amount is known under the lock. */
async function readSweep(
  { users }: CloseOptions,
  { userId, currency }: WalletRef,
  request: CloseWalletRequest,
  { principal }: CallContext,
): Promise<Result<Command>> {
  if (principal.kind !== 'user') return deny('a user must move money');
  const field = 'sweep_to_user_id';
  const otherUserId = canonicalUuid(request.sweepToUserId ?? '');
  if (otherUserId === undefined) {
    return refuse('INVALID_ARGUMENT', `${field} must be a UUID`, { field });
  }
  if (otherUserId === userId) {
    return refuse('TRANSFER_TO_SELF', 'the balance goes to another user', { field });
  }
  const command = toCommand({
    ...{ userId, currency, operation: 'transfer', amountMinor: 1n, otherUserId },
    ...{ parentId: undefined, merchant: undefined, description: undefined, metadata: {} },
    ...{ idempotencyKey: request.idempotencyKey, callerClass: 'staff', actor: principal.userId },
  });
  if (!command.ok) return command;
  const allowed = checkOther(principal, command.value, field);
  if (!allowed.ok) return allowed;
  const exists = await users.check(otherUserId);
  if (!exists.ok) {
    return exists.rejection.reason === 'USER_NOT_FOUND'
      ? refuse('RECIPIENT_NOT_FOUND', 'there is no such recipient', { field })
      : exists;
  }
  // Staff empty a wallet whatever its spending limits are.
  const more = { ...command.value.more, isForced: true };
  return succeed({ ...command.value, more, metadata: { [closingKey]: 'true' } });
}

/** Thrown within a transaction, so that it is rolled back. */
const refused = new Error('the wallet cannot be closed');

async function sweepAndClose(
  options: CloseOptions,
  sweep: Command,
  request: CloseWalletRequest,
  context: CallContext,
): Promise<Result<Closed>> {
  let refusal: Result<Closed> | undefined;
  const work = async (tx: Tx): Promise<Result<Closed>> => {
    const closed = await closeLocked(tx, options, sweep, request, context);
    if (closed.ok) return closed;
    refusal = closed;
    throw refused;
  };
  const { commitDb, onEvents } = options;
  try {
    const closed = await (request.dryRun ? commitDb.undone(work) : commitDb.tx(work));
    onEvents();
    return closed;
  } catch (err) {
    if (refusal) return refusal;
    if (isLockTimeout(err)) return walletBusy;
    throw err;
  }
}

async function closeLocked(
  tx: Tx,
  options: CloseOptions,
  sweep: Command,
  request: CloseWalletRequest,
  context: CallContext,
): Promise<Result<Closed>> {
  const { states, clockMs } = await lockStates(tx, sweep, options.defaultLimits);
  const wallet = states.wallets.get(sweep.wallet.id);
  if (!wallet) return walletNotFound(sweep.wallet);
  if (states.corrupt.has(wallet.id)) return corruptWallet(wallet);
  if (!isOpened(wallet)) return walletNotFound(sweep.wallet);
  const twin = states.entries.get(sweep.transactionId)?.find(isOf(wallet));
  if (twin) return replay(twin, sweep, wallet);
  if (wallet.held) return refuseHeld(wallet);
  if (wallet.balanceMinor <= 0n) return close(tx, wallet, undefined, request, context);
  if (options.isOutboxFull()) return { ok: false, rejection: outboxFull };
  // Money came in since it was looked at, and the payee's wallet is not open.
  if (walletsOf(sweep).some(({ id }) => !states.wallets.has(id))) return walletBusy;
  const command = withAudit({ ...sweep, amountMinor: wallet.balanceMinor }, context);
  const decided = decideBatch(states, [command], clockMs);
  const { changed } = decided;
  const [decision] = decided.decisions;
  if (decision?.kind === 'rejected') return { ok: false, rejection: decision.rejection };
  await updateWallets(tx, changed);
  await persistDecisions(tx, [command], decided, createInDoubtCommits());
  const emptied = changed.find(({ id }) => id === wallet.id);
  if (!emptied) throw new Error('a transfer has not changed its wallet');
  return close(tx, emptied, decision?.entries[0], request, context);
}

/** Both wallets locked; the payee's is opened if there is something to pay. */
async function lockStates(
  tx: Tx,
  sweep: Command,
  defaultLimits: DefaultLimits = noDefaultLimits,
): Promise<{ readonly states: States; readonly clockMs: number }> {
  const refs = walletsOf(sweep);
  const seen = await readWallets(tx, refs, 'none');
  const own = seen.find(({ id }) => id === sweep.wallet.id);
  const absent = refs.filter(({ id }) => !seen.some((wallet) => wallet.id === id));
  if (own && own.balanceMinor > 0n) await openWallets(tx, absent.map(newWallet));
  const wallets: WalletState[] = [];
  for (const wallet of await readWallets(tx, refs, 'wait')) {
    wallets.push(wallet.id === sweep.wallet.id ? await releaseDue(tx, wallet) : wallet);
  }
  const clockMs = await readClock(tx);
  return { states: await readStates(tx, [sweep], wallets, clockMs, defaultLimits), clockMs };
}

const isOf =
  ({ id }: WalletRef) =>
  (entry: Entry): boolean =>
    entry.wallet.id === id;

/** The answer of the call that made this transfer, with the wallet as it is by now. */
function replay(twin: Entry, sweep: Command, wallet: WalletState): Result<Closed> {
  const payee = sweep.more?.other?.userId ?? '';
  const isSame = closingKey in twin.metadata && twin.contraAccount === accountOfUser(payee);
  if (isSame) return succeed({ wallet, entry: twin, isReplayed: true });
  return refuse(
    'IDEMPOTENCY_KEY_REUSED',
    'this idempotency key was used for another transaction: take a new key for a new transaction',
    { field: 'idempotency_key', transactionId: twin.id },
  );
}

async function close(
  tx: Tx,
  wallet: WalletState,
  entry: Entry | undefined,
  request: CloseWalletRequest,
  context: CallContext,
): Promise<Result<Closed>> {
  // A dry run is rolled back.
  const changed = await setStatus(tx, wallet, 'close', { ...request, dryRun: false }, context);
  if (!changed.ok) return changed;
  return succeed({ wallet: changed.value.wallet, entry, isReplayed: false });
}

/** Where nothing was changed, a balance may have been shown all the same. */
async function recordUnchanged(
  { trail }: CloseOptions,
  { userId, currency }: WalletRef,
  { dryRun }: CloseWalletRequest,
  context: CallContext,
  closed: Result<Closed>,
): Promise<Result<void>> {
  if (closed.ok && !closed.value.isReplayed && !dryRun) return succeed(undefined);
  const result = closed.ok ? 'ok' : closed.rejection.reason;
  const action = closed.ok ? 'wallet.balance' : 'wallet.close';
  return recordRead(trail, context, { action, target: userId, result, details: { currency } });
}
