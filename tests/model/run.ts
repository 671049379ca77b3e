import fc, { type AsyncCommand } from 'fast-check';

import { findFaults } from '../support/ledger/ledger.ts';
import type { Draft } from './commands/drafts.ts';
import { exportLines } from './commands/exports.ts';
import { expectSame } from './commands/expect.ts';
import {
  readAgain,
  readBalance,
  reportBalance,
  reportStatement,
  reportUnopened,
} from './commands/reads.ts';
import { listWallet, setStatus, setTerms, type StatusChange } from './commands/staff.ts';
import { restart, signInAgain, signOut, stepClock } from './commands/surroundings.ts';
import { send, sendGroup, sendTogether, type Bundle } from './commands/transactions.ts';
import { createModel, type Caller, type Model, type Place } from './model.ts';
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
  /** Each compared with the model. */
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

const caller = fc.constantFrom<Caller[]>(0, 0, 1, 1, 'staff');
const moves = fc.record({
  kind: fc.constant('move' as const),
  place,
  operation: fc.constantFrom('deposit', 'deposit', 'withdraw', 'purchase', 'transfer', 'transfer'),
  amountMinor: amount,
  merchant: fc.constantFrom(undefined, 'Bakery'),
});
const undos = fc.record({
  kind: fc.constant('undo' as const),
  place,
  operation: fc.constantFrom('reversal', 'cancellation'),
  amountMinor: fc.option(fc.bigInt({ min: 1n, max: 200n }), { nil: undefined }),
  parentAt: at,
});
const holds = fc.record({
  ...{ kind: fc.constant('hold' as const), operation: fc.constant('hold' as const) },
  ...{ place, amountMinor: amount, isForOther: fc.boolean() },
  merchant: fc.constantFrom('Bakery', 'Café'),
});
const uses = fc.record({
  kind: fc.constant('use' as const),
  place,
  operation: fc.constantFrom('capture', 'capture', 'release'),
  amountMinor: fc.option(fc.bigInt({ min: 1n, max: 200n }), { nil: undefined }),
  keepsRest: fc.boolean(),
  parentAt: at,
});
const repeats = fc.record({ kind: fc.constant('repeat' as const), at });
const reuses = fc.record({ kind: fc.constant('reuse' as const), at });
const fresh = [
  { weight: 30, arbitrary: moves },
  { weight: 12, arbitrary: undos },
  { weight: 12, arbitrary: holds },
  { weight: 14, arbitrary: uses },
];
const newDraft: fc.Arbitrary<Draft> = fc.oneof(...fresh);
const draft: fc.Arbitrary<Draft> = fc.oneof(
  ...fresh,
  { weight: 8, arbitrary: repeats },
  { weight: 3, arbitrary: reuses },
);
const bundle = fc.record({
  caller: fc.constantFrom<Caller[]>(0, 1, 'staff', 'staff'),
  drafts: fc.array(draft, { minLength: 1, maxLength: 8 }),
  how: fc.constantFrom<Bundle['how'][]>('batch', 1, 3),
});
const group = fc.record({
  caller: fc.constantFrom<Caller[]>(0, 1, 'staff', 'staff', 'staff'),
  drafts: fc.array(newDraft, { minLength: 2, maxLength: 6 }),
});
/** Most of them let the wallet go on. */
const status = fc.constantFrom<StatusChange[]>(
  ...(['freeze', 'freeze debits', 'close', 'close', 'unfreeze', 'unfreeze', 'reopen'] as const),
);
const limits = fc.record({
  perTransactionMinor: fc.bigInt({ min: 100n, max: 600n }),
  dayMinor: fc.bigInt({ min: 200n, max: 3_000n }),
});
const terms = fc.record({
  overdraftMinor: fc.constantFrom(0n, 0n, 300n, 1_000n),
  limits: fc.option(limits, { nil: undefined }),
});
/** Customers ask about the other's wallet too: those are skipped. */
const question = fc.record({ place, caller });

const weighted: readonly Weighted[] = [
  { weight: 45, arbitrary: fc.record({ draft, caller }).map(send) },
  { weight: 12, arbitrary: bundle.map(sendTogether) },
  { weight: 10, arbitrary: group.map(sendGroup) },
  { weight: 6, arbitrary: fc.tuple(place, status).map(([of, change]) => setStatus(of, change)) },
  { weight: 4, arbitrary: fc.tuple(place, terms).map(([of, change]) => setTerms(of, change)) },
  { weight: 3, arbitrary: question.map((of) => listWallet(of.place, of.caller)) },
  { weight: 6, arbitrary: question.map(readBalance) },
  { weight: 8, arbitrary: question.map(reportBalance) },
  { weight: 8, arbitrary: question.map(reportStatement) },
  { weight: 8, arbitrary: question.map(reportUnopened) },
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
      answers += model.answers;
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
    await readBalance({ place: of, caller: of }).run(model, real);
    await reportStatement({ place: of, caller: of }).run(model, real);
  }
  for (const { what, text, ask } of real.reports) {
    expectSame(`${what}, at the end`, await ask(), text);
    model.answers += 1;
  }
}
