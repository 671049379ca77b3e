import { setImmediate } from 'node:timers/promises';

import { status } from '@grpc/grpc-js';

import type { TransactionStream } from '../../../cli/commands/batch/send/answers.ts';
import type { ItemRow } from '../../../cli/commands/batch/rows/chunk.ts';
import type { Clock } from '../../../cli/rpc/retry.ts';
import type { RpcCaller } from '../../../cli/rpc/caller.ts';
import { toLostFailure, toUnsentFailure } from '../../../cli/rpc/errors.ts';
import { succeed } from '../../../cli/outcome.ts';
import {
  TransactionItem,
  type StreamTransactionsResponse,
  type TransactionResult,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';

/** A row, and the currency of the wallet that it concerns where the row itself does not say it. */
export type ModelRow = ItemRow & { readonly trueCurrency: string };

export function toModelRow(
  row: number,
  userId: string,
  currency: string,
  trueCurrency = currency,
  toUserId?: string,
): ModelRow {
  const idempotencyKey = `key ${row}`;
  const item = TransactionItem.fromPartial({ userId, currency, toUserId, idempotencyKey });
  const text = { operation: 'deposit', amount: '1.00', currency: trueCurrency, user: userId };
  return { row, userId, item, text, wasSent: false, trueCurrency };
}

/** The wallets that a row concerns: two for a transfer. */
export const walletsOf = ({ userId, trueCurrency, item }: ModelRow): readonly string[] =>
  [userId, ...(item.toUserId === undefined ? [] : [item.toUserId])].map(
    (user) => `${user} ${trueCurrency}`,
  );

/**
 * A ledger behind streams, as far as the order of a batch is concerned: a wallet that is locked is
 * refused, and so is all that follows on it on the same stream. `isLost` decides after each message
 * whether the stream breaks before its answer has arrived.
 */
export function createLockedLedger(
  rows: readonly ModelRow[],
  options: {
    readonly clock: Clock;
    readonly isLost?: () => boolean;
    /** True while no stream can be opened. */
    readonly isAway?: () => boolean;
  },
) {
  const walletsOfKey = new Map(rows.map((row) => [row.item.idempotencyKey, walletsOf(row)]));
  const locked = new Set<string>();
  const done = new Map<string, string[]>();
  const keys = new Set<string>();
  let streams = 0;

  const decide = (key: string, stopped: Set<string>): TransactionResult['outcome'] => {
    const wallets = walletsOfKey.get(key) ?? [];
    if (wallets.some((wallet) => stopped.has(wallet) || locked.has(wallet))) {
      for (const wallet of wallets) stopped.add(wallet);
      const value = { reason: 'WALLET_BUSY', message: 'it is locked', metadata: {} };
      return { $case: 'refusal', value };
    }
    const replayed = keys.has(key);
    keys.add(key);
    for (const wallet of replayed ? [] : wallets) {
      const before = done.get(wallet);
      if (before) before.push(key);
      else done.set(wallet, [key]);
    }
    return { $case: 'created', value: { replayed, transaction: undefined } };
  };

  const open = (): TransactionStream => {
    streams += 1;
    const stopped = new Set<string>();
    const answers: StreamTransactionsResponse[] = [];
    let isBroken = false;
    let isEnded = false;
    let wake = (): void => undefined;
    return {
      write: ({ items }) => {
        if (isBroken) return Promise.resolve();
        const results = items.map((item, index) => ({
          index,
          outcome: decide(item.idempotencyKey, stopped),
        }));
        if (options.isLost?.()) isBroken = true;
        else answers.push({ results });
        wake();
        return Promise.resolve();
      },
      end: () => {
        isEnded = true;
        wake();
      },
      read: async () => {
        for (;;) {
          await setImmediate();
          const next = answers.shift();
          if (next) return { ok: true, value: next };
          if (isBroken) {
            const failure = { ...toLostFailure('the connection is lost'), code: status.UNKNOWN };
            return { ok: false, failure };
          }
          if (isEnded) return { ok: true, value: undefined };
          await new Promise<void>((resolve) => (wake = resolve));
        }
      },
      cancel: () => {
        isBroken = true;
        wake();
      },
    };
  };
  const caller = {
    openStream: () =>
      Promise.resolve(
        succeed(
          options.isAway?.()
            ? { ok: false as const, failure: toUnsentFailure('the server is unavailable') }
            : { ok: true as const, value: open() },
        ),
      ),
  } as unknown as RpcCaller;
  return { caller, locked, done, streams: () => streams };
}

/** A clock on which time passes only while something sleeps. */
export function createModelClock(onSleep: (nowMs: number) => void = () => undefined): Clock {
  let nowMs = 1_000_000;
  return {
    now: () => nowMs,
    elapsed: () => nowMs,
    sleep: async (durationMs) => {
      await setImmediate();
      nowMs += durationMs;
      onSleep(nowMs);
    },
  };
}
