import fc, { type AsyncCommand } from 'fast-check';

import { findFaults } from '../support/ledger/ledger.ts';
import { exportLines } from './commands/exports.ts';
import { expectSame } from './commands/expect.ts';
import {
  isOpen,
  readAgain,
  readBalance,
  reportBalance,
  reportStatement,
} from './commands/reads.ts';
import { restart, signInAgain, signOut, stepClock } from './commands/surroundings.ts';
import { move, repeat, reuseKey, undo } from './commands/transactions.ts';
import { createModel, type Model, type Place } from './model.ts';
import { createRealSource, type Real, type RealSource } from './real.ts';

export type ModelRunOptions = {
  readonly runs: number;
  readonly seed: number;
  /** No run begins later than this, not even to shrink a failure. */
  readonly limitMs: number;
  /** Of a failure that was printed, to see it again. */
  readonly path?: string | undefined;
  readonly replayPath?: string | undefined;
};

export type ModelRun = {
  /** Those to shrink a failure included. */
  readonly runs: number;
  /** Of transactions and reports, compared with the model. */
  readonly answers: number;
  /** The smallest failing commands, and how they failed; undefined if none did. */
  readonly failure: string | undefined;
};

const maxCommands = 30;
const place = fc.constantFrom<Place[]>(0, 1);
const at = fc.nat({ max: 50 });
/** Within what the ledger tolerates of clocks that differ, and beyond what it may take back. */
const offset = fc.constantFrom(-60, -2, 0, 2, 60);
/** Small, so that balances are often too low; and now and then the largest there is. */
const amount = fc.oneof(
  { weight: 20, arbitrary: fc.bigInt({ min: 1n, max: 500n }) },
  { weight: 1, arbitrary: fc.constant(10n ** 18n - 1n) },
);

type Command = AsyncCommand<Model, Real>;
type Weighted = { readonly weight: number; readonly arbitrary: fc.Arbitrary<Command> };

const moves = fc.record({
  place,
  operation: fc.constantFrom('deposit', 'deposit', 'withdraw', 'purchase'),
  amountMinor: amount,
  merchant: fc.constantFrom(undefined, 'Bakery'),
});
const undos = fc.record({
  place,
  operation: fc.constantFrom('reversal', 'cancellation'),
  parentAt: at,
});

const weighted: readonly Weighted[] = [
  { weight: 30, arbitrary: moves.map(move) },
  { weight: 12, arbitrary: undos.map(undo) },
  { weight: 8, arbitrary: at.map(repeat) },
  { weight: 3, arbitrary: at.map(reuseKey) },
  { weight: 4, arbitrary: place.map(readBalance) },
  { weight: 5, arbitrary: place.map(reportBalance) },
  { weight: 5, arbitrary: place.map(reportStatement) },
  { weight: 6, arbitrary: at.map(readAgain) },
  { weight: 2, arbitrary: place.map(exportLines) },
  { weight: 2, arbitrary: fc.boolean().map(restart) },
  { weight: 3, arbitrary: offset.map((seconds) => stepClock('server', seconds)) },
  { weight: 1, arbitrary: offset.map((seconds) => stepClock('daemon', seconds)) },
  { weight: 1, arbitrary: place.map(signInAgain) },
  { weight: 1, arbitrary: place.map(signOut) },
];

/** Generates commands for a real daemon and a model, until they differ; shrinks what differs. */
export async function runModel(options: ModelRunOptions): Promise<ModelRun> {
  const { runs, seed, limitMs, path, replayPath } = options;
  const replay = replayPath === undefined ? {} : { replayPath };
  const source = await createRealSource();
  const endsAtMs = performance.now() + limitMs;
  let answers = 0;
  let begun = 0;
  try {
    const lists = fc.commands([fc.oneof(...weighted)], { maxCommands, size: 'max', ...replay });
    const property = fc.asyncProperty(lists, async (list) => {
      // A run is never interrupted: the next one would find the daemon in the middle of it.
      if (performance.now() > endsAtMs) return;
      begun += 1;
      const { model, real } = await begin(source);
      await fc.asyncModelRun(() => ({ model, real }), list);
      await expectAtEnd(model, real);
      answers += model.sent.length + model.reports;
    });
    const result = await fc.check(property, {
      ...{ numRuns: runs, seed },
      ...(path === undefined ? {} : { path }),
    });
    const failure = result.failed
      ? `${String(result.errorInstance)}\n${await fc.asyncDefaultReportMessage(result)}`
      : (await findFaults(source.site.dataDir))[0];
    return { runs: begun, answers, failure };
  } finally {
    await source.dispose();
  }
}

async function begin(source: RealSource): Promise<{ readonly model: Model; readonly real: Real }> {
  const { serverClock, daemonClock } = source.site;
  // Only where the run before it has left them elsewhere: a step takes seconds.
  for (const clock of [serverClock, daemonClock])
    if (clock.offsetSeconds !== 0) await clock.step(0);
  return { model: createModel(), real: await source.create() };
}

/** Both wallets are as the model has them, and every report is still true. */
async function expectAtEnd(model: Model, real: Real): Promise<void> {
  for (const of of [0, 1] as const) {
    await readBalance(of).run(model, real);
    if (isOpen(model.wallets[of])) await reportStatement(of).run(model, real);
  }
  for (const { what, text, ask } of real.reports) {
    expectSame(`${what}, at the end`, await ask(), text);
  }
}
