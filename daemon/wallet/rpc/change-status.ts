import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import { findTextProblem, textLimits } from '../../../core/text.ts';
import type { Wallet } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { asDenial } from '../../platform/access/access.ts';
import { recordRead } from '../../platform/audit/reads.ts';
import { appendAudit, type AuditTrail } from '../../platform/audit/audit.ts';
import { isLockTimeout, type Db, type Tx } from '../../platform/db/db.ts';
import type { CallContext } from '../../platform/grpc/calls.ts';
import { isOpened, type WalletRef, type WalletState } from '../domain.ts';
import { walletBusy } from '../domain-integrity.ts';
import { decideStatus, isLoosening, type StatusChange } from '../domain-status.ts';
import { releaseDue } from '../commit/expired-holds.ts';
import { readRef } from './reads.ts';
import { findCorrupt } from '../store/states.ts';
import * as store from '../store/store.ts';
import { updateStatus } from '../store/writes.ts';
import type { KnownUsers } from '../requests/users.ts';
import { toWireWallet } from '../wire.ts';

export type StatusOptions = {
  readonly commitDb: Db;
  readonly trail: Pick<AuditTrail, 'record'>;
  readonly users: KnownUsers;
  readonly defaultCurrency: string;
};

export type StatusRequest = {
  readonly userId: string;
  readonly currency: string;
  readonly note: string;
  readonly dryRun: boolean;
};

/**
 * FreezeWallet, UnfreezeWallet, ReopenWallet, and CloseWallet of an empty wallet. Once it is
 * answered, nothing is booked that the new status does not allow: the row's lock is the one that
 * every commit takes, and each change of status is a change of terms, which optimistic commits
 * compare. What is so already stays so. WALLET_NOT_FOUND, STAFF_OWN_WALLET, WALLET_CLOSED,
 * WALLET_NOT_EMPTY, WALLET_BUSY.
 */
export async function changeStatus(
  options: StatusOptions,
  change: StatusChange,
  request: StatusRequest,
  context: CallContext,
): Promise<Result<{ wallet: Wallet }>> {
  const ref = await checkStatusRequest(options, change, request, context);
  if (!ref.ok) return ref;
  const work = async (tx: Tx): Promise<Result<Changed>> => {
    const [wallet] = await store.readWallets(tx, [ref.value], 'wait');
    if (!wallet || !(await isThere(tx, wallet))) return walletNotFound(ref.value);
    // What is reserved by a hold whose time is over is in no one's way.
    const current = change === 'close' ? await releaseDue(tx, wallet) : wallet;
    return setStatus(tx, current, change, request, context);
  };
  const { commitDb } = options;
  const changing = request.dryRun ? commitDb.undone(work) : commitDb.tx(work);
  const outcome = await changing.catch((err: unknown) => {
    if (isLockTimeout(err)) return walletBusy;
    throw err;
  });
  const line = { action: actionOf(change), target: ref.value.userId };
  const details = { currency: ref.value.currency };
  if (!outcome.ok) {
    const { reason } = outcome.rejection;
    // A refusal that names the balance has shown it.
    if (reason !== 'WALLET_NOT_EMPTY') return outcome;
    const recorded = await recordRead(options.trail, context, { ...line, result: reason, details });
    return recorded.ok ? outcome : recorded;
  }
  const { wallet, isChanged } = outcome.value;
  if (!isChanged) {
    // Nothing was done, but a balance is shown.
    const read = { action: 'wallet.balance', target: wallet.userId, details };
    const recorded = await recordRead(options.trail, context, read);
    if (!recorded.ok) return recorded;
  }
  return succeed({ wallet: toWireWallet(wallet) });
}

/** The wallet that is meant. STAFF_OWN_WALLET, USER_NOT_FOUND, INVALID_ARGUMENT. */
export async function checkStatusRequest(
  options: StatusOptions,
  change: StatusChange,
  request: StatusRequest,
  { principal }: CallContext,
): Promise<Result<WalletRef>> {
  const ref = readRef(options, request, principal);
  if (!ref.ok) return ref;
  const isOwn = principal.kind === 'user' && principal.userId === ref.value.userId;
  if (isOwn && isLoosening('active', change)) return ownWallet(change);
  const problem = findTextProblem(request.note, textLimits.description);
  if (problem !== undefined) {
    return refuse('INVALID_ARGUMENT', `note ${problem}`, { field: 'note' });
  }
  const exists = await options.users.check(ref.value.userId);
  return exists.ok ? ref : exists;
}

/** False for a row that is there for its read watermark only. */
const isThere = async (tx: Tx, wallet: WalletState): Promise<boolean> =>
  // Not one that was set back to seq 0 while its entries are there.
  isOpened(wallet) || (await findCorrupt(tx, [wallet])).size > 0;

/** A wallet as it is then, and whether that is new. */
export type Changed = { readonly wallet: WalletState; readonly isChanged: boolean };

/** Changes the status of a locked wallet, with its line in the audit log; a dry run does not. */
export async function setStatus(
  tx: Tx,
  wallet: WalletState,
  change: StatusChange,
  { note, dryRun }: Pick<StatusRequest, 'note' | 'dryRun'>,
  context: CallContext,
): Promise<Result<Changed>> {
  const { principal } = context;
  const previousStatus = wallet.terms.status;
  const isOwn = principal.kind === 'user' && principal.userId === wallet.userId;
  if (isOwn && isLoosening(previousStatus, change)) return ownWallet(change);
  const decided = decideStatus(wallet, change);
  if (!decided.ok) return decided;
  const status = decided.value;
  const isChanged = status !== previousStatus && !dryRun;
  if (isChanged) {
    await updateStatus(tx, wallet.id, status);
    const action = actionOf(change);
    const details = { currency: wallet.currency, note, status, previousStatus };
    await appendAudit(tx, context, { action, target: wallet.userId, result: 'ok', details });
  }
  const terms = isChanged
    ? { ...wallet.terms, no: wallet.terms.no + 1, status }
    : { ...wallet.terms, status };
  return succeed({ wallet: { ...wallet, terms }, isChanged });
}

const actions = {
  freeze: 'wallet.freeze',
  freeze_debits: 'wallet.freeze',
  unfreeze: 'wallet.unfreeze',
  close: 'wallet.close',
  reopen: 'wallet.reopen',
} as const;

/** The action of a change in the audit log. */
const actionOf = (change: StatusChange): string => actions[change];

const ownWallet = (change: StatusChange) =>
  asDenial(
    refuse(
      'STAFF_OWN_WALLET',
      `staff ${change === 'freeze_debits' ? 'unfreeze' : change} no wallet of their own: have a ` +
        'colleague look into it',
      { field: 'user_id' },
    ),
  );

/** The refusal for a wallet that was never opened. */
export const walletNotFound = ({
  userId,
  currency,
}: WalletRef): { ok: false; rejection: Rejection } =>
  refuse(
    'WALLET_NOT_FOUND',
    `user ${userId} has no wallet in ${currency}: nothing was paid in yet`,
    { userId, currency },
  );
