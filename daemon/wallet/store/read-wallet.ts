import { setTimeout as sleep } from 'node:timers/promises';

import { succeed, type Result } from '../../../core/reasons.ts';
import { isLockTimeout, readClock, withoutDoubt, type Db } from '../../platform/db/db.ts';
import { endOfPastMs, newWallet, type WalletRef, type WalletState } from '../domain.ts';
import { corruptWallet, walletBusy } from '../domain-integrity.ts';
import { findCorrupt } from './states.ts';
import { readWallets, waitBriefly } from './store.ts';
import { openWallets, raiseReadWatermark } from './writes.ts';

/** A wallet, and the time at which it is so. */
type WalletNow = { readonly wallet: WalletState; readonly nowMs: number };

/** A wallet as it is; WALLET_CORRUPT if its last transaction says something else. */
export function readNow(db: Db, ref: WalletRef): Promise<Result<WalletNow>> {
  return db.snapshot(async (tx) => {
    const clockMs = await readClock(tx);
    const [found] = await readWallets(tx, [ref], 'none');
    const wallet = found ?? newWallet(ref);
    if ((await findCorrupt(tx, [wallet])).size > 0) return corruptWallet(wallet);
    return succeed({ wallet, nowMs: Math.max(clockMs, wallet.lastAtMs) });
  });
}

/** How long a wallet that another transaction has locked is waited for. */
const busyAfterMs = 1_000;
const tryEveryMs = 50;

/**
 * The wallet with no transaction in flight on it, nor its opening. Raises the read watermark: a
 * commit that has read its clock already and has no lock yet finds a conflict with it.
 * WALLET_BUSY if it stays locked for a second; no connection is held for so long.
 */
export async function readAtWatermark(db: Db, ref: WalletRef): Promise<Result<WalletNow>> {
  const endsAtMs = performance.now() + busyAfterMs;
  for (let isFirst = true; ; isFirst = false) {
    const read = await readOnce(db, ref, isFirst).catch((err: unknown) => {
      if (isLockTimeout(err)) return 'busy' as const;
      throw err;
    });
    if (typeof read === 'object') return read;
    if (read === 'absent') {
      const unopenedAtMs = await probeUnopened(db, [ref]);
      if (unopenedAtMs !== undefined) {
        return succeed({ wallet: newWallet(ref), nowMs: unopenedAtMs });
      }
    }
    if (performance.now() >= endsAtMs) return walletBusy;
    await sleep(tryEveryMs);
  }
}

/** Waits in the queue for the lock at first; later tries only look whether it is free. */
function readOnce(
  db: Db,
  ref: WalletRef,
  isFirst: boolean,
): Promise<Result<WalletNow> | 'busy' | 'absent'> {
  const reading = db.tx(async (tx) => {
    if (isFirst) await waitBriefly(tx);
    const [wallet] = await readWallets(tx, [ref], isFirst ? 'wait' : 'skip');
    if (!wallet) return (await readWallets(tx, [ref], 'none')).length > 0 ? 'busy' : 'absent';
    if ((await findCorrupt(tx, [wallet])).size > 0) return corruptWallet(wallet);
    const nowMs = endOfPastMs(wallet, await readClock(tx));
    await raiseReadWatermark(tx, wallet.id, nowMs);
    return succeed({ wallet, nowMs });
  });
  return withoutDoubt(reading);
}

/** So many of them may have to be waited for; of more it is not known. */
const maxFailedProbes = 8;

/** The ids of those of the wallets that are certainly not open, and not being opened either. */
export async function findUnopened(
  db: Db,
  refs: readonly WalletRef[],
): Promise<ReadonlySet<string>> {
  const unopened = new Set<string>();
  let failures = 0;
  const find = async (part: readonly WalletRef[]): Promise<void> => {
    if (part.length === 0 || failures >= maxFailedProbes) return;
    if ((await probeUnopened(db, part)) !== undefined) {
      for (const { id } of part) unopened.add(id);
      return;
    }
    failures += 1;
    if (part.length === 1) return;
    await find(part.slice(0, part.length >> 1));
    await find(part.slice(part.length >> 1));
  };
  await find(refs);
  return unopened;
}

/**
 * A time at which the wallets were certainly not open, or undefined if one is, or is being opened.
 * There is no row to lock: so they are opened, which waits for others who do the same, and undone.
 */
function probeUnopened(db: Db, refs: readonly WalletRef[]): Promise<number | undefined> {
  return db
    .undone(async (tx) => {
      await waitBriefly(tx);
      const opened = await openWallets(tx, refs.map(newWallet));
      return opened === refs.length ? readClock(tx) : undefined;
    })
    .catch((err: unknown) => {
      if (isLockTimeout(err)) return undefined;
      throw err;
    });
}
