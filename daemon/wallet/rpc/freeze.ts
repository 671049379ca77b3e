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
import { readRef } from './reads.ts';
import { findCorrupt } from '../store/states.ts';
import * as store from '../store/store.ts';
import { updateStatus } from '../store/writes.ts';
import type { KnownUsers } from '../requests/users.ts';
import { toWireWallet } from '../wire.ts';

export type FreezeOptions = {
  readonly commitDb: Db;
  readonly trail: Pick<AuditTrail, 'record'>;
  readonly users: KnownUsers;
  readonly defaultCurrency: string;
};

type StatusRequest = {
  readonly userId: string;
  readonly currency: string;
  readonly note: string;
  readonly dryRun: boolean;
};

/**
 * FreezeWallet and UnfreezeWallet. Once it is answered, nothing is booked that the new status does
 * not allow: the row's lock is the one that every commit takes. What is so already stays so.
 * WALLET_NOT_FOUND, STAFF_OWN_WALLET, WALLET_BUSY.
 */
export async function changeStatus(
  options: FreezeOptions,
  status: WalletState['status'],
  request: StatusRequest,
  context: CallContext,
): Promise<Result<{ wallet: Wallet }>> {
  const ref = await checkRequest(options, status, request, context);
  if (!ref.ok) return ref;
  const outcome = await options.commitDb
    .tx((tx) => setStatus(tx, ref.value, status, request, context))
    .catch((err: unknown) => {
      if (isLockTimeout(err)) return 'busy' as const;
      throw err;
    });
  if (outcome === 'busy') return walletBusy;
  if (outcome === undefined) return notFound(ref.value);
  const { wallet, isChanged } = outcome;
  if (!isChanged) {
    // Nothing was done, but a balance is shown.
    const line = { action: 'wallet.balance', target: wallet.userId };
    const details = { currency: wallet.currency };
    const recorded = await recordRead(options.trail, context, { ...line, details });
    if (!recorded.ok) return recorded;
  }
  return succeed({ wallet: toWireWallet(wallet) });
}

async function checkRequest(
  options: FreezeOptions,
  status: WalletState['status'],
  request: StatusRequest,
  { principal }: CallContext,
): Promise<Result<WalletRef>> {
  const ref = readRef(options, request, principal);
  if (!ref.ok) return ref;
  const isOwn = principal.kind === 'user' && principal.userId === ref.value.userId;
  if (isOwn && status === 'active') {
    return asDenial(
      refuse(
        'STAFF_OWN_WALLET',
        'staff unfreeze no wallet of their own: have a colleague look into it',
      ),
    );
  }
  const problem = findTextProblem(request.note, textLimits.description);
  if (problem !== undefined) {
    return refuse('INVALID_ARGUMENT', `note ${problem}`, { field: 'note' });
  }
  const exists = await options.users.check(ref.value.userId);
  return exists.ok ? ref : exists;
}

/** The wallet as it is then; undefined if it was never opened. */
async function setStatus(
  tx: Tx,
  ref: WalletRef,
  status: WalletState['status'],
  { note, dryRun }: StatusRequest,
  context: CallContext,
): Promise<{ readonly wallet: WalletState; readonly isChanged: boolean } | undefined> {
  const [wallet] = await store.readWallets(tx, [ref], 'wait');
  if (!wallet) return undefined;
  // Not one that was set back to seq 0 while its entries are there.
  if (!isOpened(wallet) && (await findCorrupt(tx, [wallet])).size === 0) return undefined;
  const isChanged = wallet.status !== status && !dryRun;
  if (isChanged) {
    await updateStatus(tx, wallet.id, status);
    const action = status === 'frozen' ? 'wallet.freeze' : 'wallet.unfreeze';
    const details = { currency: ref.currency, note };
    await appendAudit(tx, context, { action, target: ref.userId, result: 'ok', details });
  }
  return { wallet: { ...wallet, status }, isChanged };
}

const notFound = ({ userId, currency }: WalletRef): { ok: false; rejection: Rejection } =>
  refuse(
    'WALLET_NOT_FOUND',
    `user ${userId} has no wallet in ${currency}: nothing was paid in yet`,
    {
      userId,
      currency,
    },
  );
