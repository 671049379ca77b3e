import { randomUUID } from 'node:crypto';

import { isUuid } from '../../core/ids.ts';
import { refuse, succeed, type Result } from '../../core/reasons.ts';
import { findTextProblem, textLimits } from '../../core/text.ts';
import { appendAudit, type AuditActor } from '../platform/audit/audit.ts';
import { isLockTimeout, readClock, type Db, type Tx } from '../platform/db/db.ts';
import {
  earliestTimeMs,
  isAhead,
  isAheadUnaccepted,
  type WalletRef,
  type WalletState,
} from './domain.ts';
import { walletBusy } from './domain-integrity.ts';
import { refOf } from './requests/request.ts';
import { readWallets } from './store/store.ts';
import { listWallets } from './store/reads.ts';
import { acceptAhead } from './store/writes.ts';

/** Which wallets: one, or every one that is ahead of the clock. */
export type AheadRequest = {
  readonly wallet:
    'all' | { readonly id: string } | { readonly userId: string; readonly currency: string };
  /** Why; for the audit log. */
  readonly note: string;
  readonly isDryRun: boolean;
};

/** A wallet that is ahead of the clock, and up to when that is accepted now. */
export type AheadWallet = {
  readonly userId: string;
  readonly currency: string;
  readonly untilMs: number;
  /** False where it was accepted before. */
  readonly isNew: boolean;
};

const pageSize = 500;
const firstId = '00000000-0000-0000-0000-000000000000';

/**
 * What `walletd wallets accept-clock-ahead` does on the host: lets wallets that were used while the
 * clock was ahead go on, at the time of their last transaction, until the clock has caught up. Each
 * has a line in the audit log, in the same tx. A running daemon notices with the next transaction.
 * INVALID_ARGUMENT, CURRENCY_UNKNOWN, WALLET_NOT_FOUND, WALLET_BUSY.
 */
export async function* acceptClockAheadOnHost(
  db: Db,
  request: AheadRequest,
): AsyncGenerator<Result<AheadWallet>> {
  const problem = request.note.trim() === '' ? 'must say why' : findTextProblemOf(request.note);
  if (problem !== undefined) {
    yield refuse('INVALID_ARGUMENT', `note ${problem}`, { field: 'note' });
    return;
  }
  if (request.wallet !== 'all') {
    yield await acceptOne(db, request.wallet, request);
    return;
  }
  const actor = hostActor();
  for (let afterId = firstId; ;) {
    const page = { afterId, onlyId: undefined, limit: pageSize };
    const { wallets, clockMs } = await db.snapshot(async (tx) => ({
      clockMs: await readClock(tx),
      wallets: await listWallets(tx, 'all', page),
    }));
    for (const wallet of wallets.filter((one) => isAhead(one, clockMs))) {
      const accepted = await acceptLocked(db, actor, wallet, request);
      // Not ahead any more: the clock has caught up meanwhile.
      if (accepted.ok || accepted.rejection.reason === 'WALLET_BUSY') yield accepted;
    }
    const last = wallets.at(-1);
    if (!last || wallets.length < pageSize) return;
    afterId = last.id;
  }
}

const findTextProblemOf = (note: string) => findTextProblem(note, textLimits.description);

const hostActor = (): AuditActor => ({ principal: { kind: 'host' }, requestId: randomUUID() });

async function acceptOne(
  db: Db,
  named: Exclude<AheadRequest['wallet'], 'all'>,
  request: AheadRequest,
): Promise<Result<AheadWallet>> {
  const ref = 'id' in named ? await findWallet(db, named.id) : checkOwner(named);
  return ref.ok ? acceptLocked(db, hostActor(), ref.value, request) : ref;
}

async function findWallet(db: Db, id: string): Promise<Result<WalletRef>> {
  const page = { afterId: firstId, onlyId: id, limit: 1 };
  const [wallet] = isUuid(id) ? await db.read((tx) => listWallets(tx, 'all', page)) : [];
  return wallet
    ? succeed(wallet)
    : refuse('WALLET_NOT_FOUND', `there is no wallet ${id}`, { walletId: id });
}

function checkOwner(owner: { readonly userId: string; readonly currency: string }) {
  if (isUuid(owner.userId)) return refOf(owner.userId, owner.currency);
  const message = 'the user must be named by an id: a UUID in lower case';
  return refuse('INVALID_ARGUMENT', message, { field: 'user_id' });
}

function acceptLocked(
  db: Db,
  actor: AuditActor,
  ref: WalletRef,
  request: AheadRequest,
): Promise<Result<AheadWallet>> {
  return db
    .tx((tx) => accept(tx, actor, ref, request))
    .catch((err: unknown) => {
      if (isLockTimeout(err)) return walletBusy;
      throw err;
    });
}

async function accept(
  tx: Tx,
  actor: AuditActor,
  ref: WalletRef,
  { note, isDryRun }: AheadRequest,
): Promise<Result<AheadWallet>> {
  const { userId, currency } = ref;
  const [wallet] = await readWallets(tx, [ref], 'wait');
  if (!wallet) {
    return refuse('WALLET_NOT_FOUND', `user ${userId} has no wallet in ${currency}`, { userId });
  }
  const clockMs = await readClock(tx);
  if (!isAhead(wallet, clockMs)) return notAhead(wallet, clockMs);
  const isNew = isAheadUnaccepted(wallet, clockMs);
  const untilMs = isNew ? earliestTimeMs(wallet) : wallet.aheadAcceptedMs;
  if (isNew && !isDryRun) {
    await acceptAhead(tx, wallet.id, untilMs);
    const details = { currency, note, until: toText(untilMs), clock: toText(clockMs) };
    const line = { action: 'wallet.accept_clock_ahead', target: userId, result: 'ok', details };
    await appendAudit(tx, actor, line);
  }
  return succeed({ userId, currency, untilMs, isNew });
}

const toText = (timeMs: number): string => new Date(timeMs).toISOString();

function notAhead(wallet: WalletState, clockMs: number): Result<never> {
  const lastMs = earliestTimeMs(wallet);
  const last = lastMs === 0 ? 'it has no transactions' : `its last time is ${toText(lastMs)}`;
  return refuse(
    'INVALID_ARGUMENT',
    `the wallet is not ahead of the clock: ${last}, and the database's clock ${toText(clockMs)}`,
    { walletId: wallet.id },
  );
}
