import { describe, expect, it } from 'vitest';

import { buildCommand, walletRefOf } from '../../tests/support/ledger/build-command.ts';
import { specify } from '../../tests/support/ledger/decider-spec.ts';
import {
  createWalletDecider,
  noStates,
  withWallet,
} from '../../tests/support/ledger/wallet-decider.ts';
import { clockToleranceMs, nextReadWatermarkMs, newWallet, type WalletState } from './domain.ts';

const userId = '6f1c3f3e-0000-4000-8000-000000000001';
const nowMs = Date.UTC(2026, 10, 22, 12);
const dayMs = 86_400_000;
const ref = walletRefOf(userId);

function decideOn(change: Partial<WalletState>, clockMs = nowMs) {
  const states = withWallet(noStates, ref, { seq: 1n, balanceMinor: 9n, ...change });
  const { given } = specify(createWalletDecider(clockMs));
  const { decision } = given(states).when(buildCommand(userId, { amountMinor: 5n }));
  if (decision.kind === 'rejected') return decision.rejection.reason;
  return decision.entries[0]?.occurredAtMs;
}

describe('wallets a day ahead of the clock', () => {
  const tomorrow = nowMs + dayMs;
  const accepted = { lastAtMs: tomorrow, aheadAcceptedMs: tomorrow };

  it('a wallet a day ahead of the clock is refused until an operator accepts that', () => {
    expect(decideOn({ lastAtMs: tomorrow })).toBe('WALLET_CLOCK_AHEAD');
    expect(decideOn({ readWatermarkMs: tomorrow })).toBe('WALLET_CLOCK_AHEAD');
    expect(decideOn(accepted)).toBe(tomorrow);
    expect(decideOn({ ...accepted, lastAtMs: nowMs, readWatermarkMs: tomorrow })).toBe(tomorrow);
  });

  it('a wallet whose time was accepted uses the clock again once it has caught up', () => {
    expect(decideOn(accepted, tomorrow - 1)).toBe(tomorrow);
    expect(decideOn(accepted, tomorrow + 1)).toBe(tomorrow + 1);
  });

  it('a wallet is refused again when it is further ahead than was accepted', () => {
    const further = tomorrow + clockToleranceMs;
    expect(decideOn({ ...accepted, lastAtMs: further })).toBe(further);
    expect(decideOn({ ...accepted, lastAtMs: further + 1 })).toBe('WALLET_CLOCK_AHEAD');
  });
});

describe('next read watermark', () => {
  const watermarkOf = (changes: Partial<WalletState>) =>
    nextReadWatermarkMs({ ...newWallet(ref), ...changes }, nowMs);

  it('the next read watermark is now, or behind a last entry that is a little ahead', () => {
    expect(watermarkOf({ lastAtMs: nowMs - 5 })).toBe(nowMs);
    expect(watermarkOf({ lastAtMs: nowMs + 2_000 })).toBe(nowMs + 2_001);
    expect(watermarkOf({ readWatermarkMs: nowMs + 3_000 })).toBe(nowMs + 3_000);
  });

  it('the next read watermark excludes an entry far ahead, unless a read reported it', () => {
    const lastAtMs = nowMs + dayMs;
    expect(watermarkOf({ lastAtMs })).toBe(nowMs);
    expect(watermarkOf({ lastAtMs, aheadAcceptedMs: lastAtMs })).toBe(nowMs);
    expect(watermarkOf({ lastAtMs, readWatermarkMs: lastAtMs + 1 })).toBe(lastAtMs + 1);
  });
});
