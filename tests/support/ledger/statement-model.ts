import { walletIdOf } from '../../../core/ids.ts';
import type { StatementFileLine, StatementHead } from '../../../core/statement-format/index.ts';

/** Numbers in [0, 1) that are the same for the same seed: mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** Texts that mean something to a spreadsheet, a journal, JSON or CSV. */
export const nastyTexts = [
  '=1+1',
  '+55 11 99999-9999',
  '-SUM(A1:A9)',
  '@cmd',
  '\tcell',
  '\rcell',
  'a "quoted" word',
  'comma, semicolon; pipe | tab\there',
  'two  blanks   in a row',
  'line\nfeed and carriage\rreturn and both\r\n',
  '; a comment',
  '* ! (code) [2026-01-01] {lot} = 5 BRL',
  'date:2001-01-01, tag:value :a:b:',
  'ação “João” 日本 😀',
  "it's 100% ~ # \\ / & < >",
  ' leading and trailing ',
  '\u200b\u202e\u00a0',
  'include /etc/passwd',
];

/** A wallet's lines as the ledger would have made them, over a random stretch of time. */
export function makeLines(seed: number, count: number, startMs: number, stepMs = 3_600_000) {
  const random = createRandom(seed);
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!;
  const lines: StatementFileLine[] = [];
  let balanceMinor = 0n;
  let occurredAtMs = startMs;
  for (let seq = 1n; seq <= BigInt(count); seq += 1n) {
    occurredAtMs += Math.floor(random() * stepMs);
    const canTake = balanceMinor > 1n && random() < 0.5;
    const size = BigInt(Math.floor(random() * 10 ** Math.ceil(random() * 9))) + 1n;
    const amountMinor = canTake ? -(1n + (size % balanceMinor)) : size;
    balanceMinor += amountMinor;
    const operation = pick(canTake ? (['withdraw', 'purchase'] as const) : (['deposit'] as const));
    lines.push({
      seq,
      occurredAtMs,
      transactionId: `00000000-0000-5000-8000-${seq.toString(16).padStart(12, '0')}`,
      operation,
      description: random() < 0.6 ? pick(nastyTexts) : undefined,
      amountMinor,
      balanceAfterMinor: balanceMinor,
      contraAccount: operation === 'purchase' ? `merchant:${pick(nastyTexts)}` : 'external:cash',
    });
  }
  return lines;
}

/**
 * The same wallet after staff forced an undo: below zero for a while, and with transfers to and
 * from another user. It begins with a balance that its first line does not say.
 */
export function makeOverdrawnLines(seed: number, count: number, startMs: number) {
  const lines = makeLines(seed, count, startMs);
  const debtMinor = (lines.at(-1)?.balanceAfterMinor ?? 0n) / 2n + 1n;
  return lines.map((line): StatementFileLine => {
    const balanceAfterMinor = line.balanceAfterMinor - debtMinor;
    if (line.seq % 3n !== 0n) return { ...line, balanceAfterMinor };
    const contraAccount = 'user:1b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a11';
    return { ...line, balanceAfterMinor, operation: 'transfer', contraAccount };
  });
}

/**
 * A wallet with holds, their captures and releases, and an overdraft: every third line or so moves
 * no money, and the balance is below zero now and then.
 */
export function makeHoldLines(seed: number, count: number, startMs: number, stepMs = 3_600_000) {
  const random = createRandom(seed);
  const overdraftMinor = 100_000n;
  const lines: StatementFileLine[] = [];
  const open: bigint[] = [];
  let [balanceMinor, occurredAtMs] = [0n, startMs];
  const below = (limit: bigint): bigint => 1n + BigInt(Math.floor(random() * Number(limit)));
  const reserved = (): bigint => open.reduce((sum, left) => sum + left, 0n);
  const act = (): Pick<StatementFileLine, 'operation' | 'amountMinor' | 'contraAccount'> => {
    const availableMinor = balanceMinor + overdraftMinor - reserved();
    const [chance, left] = [random(), open.at(-1)];
    if (left !== undefined && chance < 0.2) {
      const part = below(left);
      // The rest stays reserved, or is released with it.
      open.splice(-1, 1, ...(part < left && random() < 0.5 ? [left - part] : []));
      return { operation: 'capture', amountMinor: -part, contraAccount: 'merchant:Hotel' };
    }
    if (left !== undefined && chance < 0.4) {
      open.pop();
      return { operation: 'release', amountMinor: 0n, contraAccount: 'merchant:Hotel' };
    }
    if (availableMinor > 1n && chance < 0.6) {
      open.push(below(availableMinor));
      return { operation: 'hold', amountMinor: 0n, contraAccount: 'merchant:Hotel' };
    }
    if (availableMinor > 1n && chance < 0.8) {
      const contraAccount = 'external:cash';
      return { operation: 'withdraw', amountMinor: -below(availableMinor), contraAccount };
    }
    return { operation: 'deposit', amountMinor: below(50_000n), contraAccount: 'external:cash' };
  };
  for (let seq = 1n; seq <= BigInt(count); seq += 1n) {
    occurredAtMs += Math.floor(random() * stepMs);
    const before = reserved();
    const made = act();
    balanceMinor += made.amountMinor;
    lines.push({
      ...{ seq, occurredAtMs, ...made, balanceAfterMinor: balanceMinor },
      transactionId: `00000000-0000-5000-8000-${seq.toString(16).padStart(12, '0')}`,
      description: random() < 0.3 ? 'Room 12' : undefined,
      ...{ heldMinor: reserved() - before || undefined, heldAfterMinor: reserved() || undefined },
    });
  }
  return lines;
}

/** What the statement of the lines after the first `skipped` says besides them. */
export function headOf(
  currency: string,
  lines: readonly StatementFileLine[],
  skipped: number,
  timezone: string,
): StatementHead {
  const shown = lines.slice(skipped);
  const sum = (wanted: (minor: bigint) => boolean) =>
    shown.reduce((total, l) => (wanted(l.amountMinor) ? total + l.amountMinor : total), 0n);
  return {
    walletId: walletIdOf('0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10', currency),
    currency,
    fromMs: shown[0]?.occurredAtMs ?? 0,
    toMs: (shown.at(-1)?.occurredAtMs ?? 0) + 1,
    timezone,
    openingMinor: lines[skipped - 1]?.balanceAfterMinor ?? 0n,
    totalDebitMinor: -sum((minor) => minor < 0n),
    totalCreditMinor: sum((minor) => minor > 0n),
    closingMinor: lines.at(-1)?.balanceAfterMinor ?? 0n,
  };
}
