import { setTimeout as sleep } from 'node:timers/promises';

import { succeed, type Result } from '../../../core/reasons.ts';
import { isLockTimeout, readClock, withoutDoubt, type Db, type Tx } from '../../platform/db/db.ts';
import { nextReadWatermarkMs, newWallet, type WalletRef, type WalletState } from '../domain.ts';
import { corruptWallet, walletBusy } from '../domain-integrity.ts';
import { readHeldOver } from './held-over.ts';
import { findCorrupt } from './states.ts';
import { readWallets, waitBriefly } from './store.ts';
import { openWallets, raiseReadWatermark } from './writes.ts';

/** A wallet, the time at which it is so, and what it holds by holds whose time is over. */
type WalletNow = {
  readonly wallet: WalletState;
  readonly nowMs: number;
  readonly heldOverMinor: bigint;
};

/** A wallet as it is; WALLET_CORRUPT if its last transaction contradicts it. */
export function readNow(db: Db, ref: WalletRef): Promise<Result<WalletNow>> {
  return db.snapshot(async (tx) => {
    const clockMs = await readClock(tx);
    const [found] = await readWallets(tx, [ref], 'none');
    const wallet = found ?? newWallet(ref);
    if ((await findCorrupt(tx, [wallet])).size > 0) return corruptWallet(wallet);
    const heldOver = await readHeldOver(tx, [wallet], clockMs);
    const heldOverMinor = heldOver.get(wallet.id) ?? 0n;
    return succeed({ wallet, nowMs: Math.max(clockMs, wallet.lastAtMs), heldOverMinor });
  });
}

/** How long a read waits for a wallet that another transaction has locked. */
const busyAfterMs = 1_000;
const tryEveryMs = 50;

/**
 * The wallet while no transaction on it is in progress, nor its opening. Raises the read watermark:
 * a commit that read its clock before and has no lock yet conflicts with it. A wallet that was
 * never opened gets a row for it, which its first deposit finds. WALLET_BUSY if the wallet stays
 * locked for a second; no connection is held for so long.
 */
export async function readAtWatermark(db: Db, ref: WalletRef): Promise<Result<WalletNow>> {
  const endsAtMs = performance.now() + busyAfterMs;
  for (let isFirst = true; ; isFirst = false) {
    const read = await tryReadAtWatermark(db, ref, isFirst).catch((err: unknown) => {
      if (isLockTimeout(err)) return 'busy' as const;
      throw err;
    });
    if (read !== 'busy') return read;
    if (performance.now() >= endsAtMs) return walletBusy;
    await sleep(tryEveryMs);
  }
}

/** The first try waits for the lock; later tries only check whether it is free. */
function tryReadAtWatermark(
  db: Db,
  ref: WalletRef,
  isFirst: boolean,
): Promise<Result<WalletNow> | 'busy'> {
  const reading = db.tx(async (tx) => {
    await waitBriefly(tx);
    const [found] = await readWallets(tx, [ref], isFirst ? 'wait' : 'skip');
    const wallet = found ?? (await insertRow(tx, ref));
    if (!wallet) return 'busy';
    if ((await findCorrupt(tx, [wallet])).size > 0) return corruptWallet(wallet);
    const nowMs = nextReadWatermarkMs(wallet, await readClock(tx));
    await raiseReadWatermark(tx, wallet.id, nowMs);
    const heldOver = await readHeldOver(tx, [wallet], nowMs);
    return succeed({ wallet, nowMs, heldOverMinor: heldOver.get(wallet.id) ?? 0n });
  });
  return withoutDoubt(reading);
}

/** The row of a wallet that has none. Undefined if it is locked, or was made a moment ago. */
async function insertRow(tx: Tx, ref: WalletRef): Promise<WalletState | undefined> {
  const wallet = newWallet(ref);
  return (await openWallets(tx, [wallet])) === 0 ? undefined : wallet;
}

/** After so many probes that found an open wallet, the rest counts as open. */
const maxFailedProbes = 8;

/** The ids of those wallets that certainly have no row, nor are getting one. */
export async function findUnopened(
  db: Db,
  refs: readonly WalletRef[],
): Promise<ReadonlySet<string>> {
  const unopened = new Set<string>();
  let failures = 0;
  const find = async (part: readonly WalletRef[]): Promise<void> => {
    if (part.length === 0 || failures >= maxFailedProbes) return;
    if (await probeUnopened(db, part)) {
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
 * False if one of the wallets has a row, or is getting it. There is no row to lock: so it opens
 * them, which waits for concurrent openings, and rolls back.
 */
function probeUnopened(db: Db, refs: readonly WalletRef[]): Promise<boolean> {
  return db
    .undone(async (tx) => {
      await waitBriefly(tx);
      return (await openWallets(tx, refs.map(newWallet))) === refs.length;
    })
    .catch((err: unknown) => {
      if (isLockTimeout(err)) return false;
      throw err;
    });
}
