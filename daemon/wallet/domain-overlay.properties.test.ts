import { randomUUID } from 'node:crypto';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { brlWalletOf } from '../../tests/support/ledger/build-command.ts';
import { createBook } from '../../tests/support/ledger/programs/book.ts';
import { anyProgram, type Act } from '../../tests/support/ledger/programs/generate.ts';
import { outcomeOf, playOneByOne, timeByBatch } from '../../tests/support/ledger/programs/play.ts';
import { newWallet, type Decision } from './domain.ts';
import { decideBatch } from './domain-batch.ts';
import { addToOverlay, afterRun, newOverlay, overlayStates } from './domain-overlay.ts';

const sizesArbitrary = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 });

type Message = { readonly atMs: number; readonly acts: readonly Act[] };

/** Commands in messages of these sizes; those of one message have one time. */
function inMessages(program: readonly Act[], sizes: readonly number[]): readonly Message[] {
  const messages: Message[] = [];
  for (let at = 0; at < program.length;) {
    const acts = program.slice(at, at + (sizes[messages.length % sizes.length] ?? 1));
    const atMs = acts[0]?.atMs ?? 0;
    messages.push({ atMs, acts: acts.map((act) => ({ ...act, atMs })) });
    at += acts.length;
  }
  return messages;
}

const commandsOf = (acts: readonly Act[]) =>
  acts.flatMap((act) => (act.kind === 'command' ? [act.command] : []));

/** All of a decision: an entry's hash covers everything in it and before it. */
const textOf = (decision: Decision): string =>
  decision.kind === 'rejected'
    ? `${decision.rejection.reason} ${decision.rejection.message}`
    : `${decision.kind} ${decision.entries.map(({ hash }) => hash).join()}`;

/** What is decided of the second half of a program, by a dry run of it and in earnest. */
function runBoth(program: readonly Act[], sizes: readonly number[]) {
  const half = program.slice(0, program.length / 2);
  const rest = program.slice(half.length).filter(({ kind }) => kind === 'command');
  const messages = inMessages(rest, sizes);
  const [real, quiet] = [createBook(), createBook()];
  const before = playOneByOne(half, real);
  playOneByOne(before.acts, quiet);
  const asked = playOneByOne(
    messages.flatMap(({ acts }) => acts),
    real,
  );
  const overlay = newOverlay();
  const dry: Decision[] = [];
  const implied: string[] = [];
  let next = 0;
  for (const { atMs, acts } of messages) {
    const commands = commandsOf(asked.acts.slice(next, (next += acts.length)));
    const read = quiet.read(commands, atMs, (wallet) => afterRun(overlay, wallet));
    const decided = decideBatch(overlayStates(overlay, read, commands, atMs), commands, atMs);
    addToOverlay(overlay, decided);
    dry.push(...decided.decisions);
    implied.push(...decided.implied.map(({ hash }) => hash));
  }
  return { real: asked, dry, implied, quiet, before: half };
}

describe('dry runs over many messages', () => {
  it('a dry run over many messages decides like the real run, and changes nothing', () => {
    fc.assert(
      fc.property(anyProgram, sizesArbitrary, (program, sizes) => {
        const { real, dry, implied, quiet, before } = runBoth(program, sizes);
        expect(dry.map(textOf)).toEqual(real.decisions.map(textOf));
        const released = real.decided.flatMap((one) => one.implied.map(({ hash }) => hash));
        expect(implied.sort()).toEqual(released.sort());
        const again = createBook();
        playOneByOne(timeByBatch(before, [1]), again);
        expect(quiet.ledger).toEqual(again.ledger);
        expect(quiet.holds).toEqual(again.holds);
      }),
      { numRuns: 400 },
    );
  });

  it('the generated dry runs reach replays, second undos, holds, expiries and limits', () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(anyProgram, sizesArbitrary, (program, sizes) => {
        const { dry, implied } = runBoth(program, sizes);
        const outcomes = dry.map((decision) =>
          decision.kind === 'accepted' && decision.hold
            ? `hold ${decision.hold.state}`
            : outcomeOf(decision),
        );
        for (const outcome of [...outcomes, ...implied.map(() => 'expired')]) {
          seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
        }
      }),
      { numRuns: 400, seed: 7 },
    );
    for (const outcome of reached) {
      expect([outcome, (seen.get(outcome) ?? 0) > 20]).toEqual([outcome, true]);
    }
  });
});

it('what belongs to a wallet is read for the time after the entries of the run', () => {
  const overlay = newOverlay();
  const wallet = { ...newWallet(brlWalletOf(randomUUID())), lastAtMs: 5_000 };
  expect(afterRun(overlay, wallet)).toBe(wallet);
  overlay.wallets.set(wallet.id, { ...wallet, lastAtMs: 65_000, balanceMinor: 7n });
  expect(afterRun(overlay, wallet)).toEqual({ ...wallet, lastAtMs: 65_000 });
});

const reached = [
  'CAPTURE_EXCEEDS_HOLD',
  'HOLD_CLOSED',
  'HOLD_EXPIRED',
  'HOLD_NOT_FOUND',
  'IDEMPOTENCY_KEY_REUSED',
  'INSUFFICIENT_FUNDS',
  'LIMIT_EXCEEDED',
  'PARENT_ALREADY_UNDONE',
  'PARENT_NOT_FOUND',
  'PARENT_NOT_UNDOABLE',
  'accepted',
  'expired',
  'hold captured',
  'hold open',
  'hold released',
  'replayed',
];
