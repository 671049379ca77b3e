import { findExponent } from '../../../../core/currencies.ts';
import { parseAmount } from '../../../../core/money.ts';
import type { Context } from '../../../context.ts';
import { fail, failUsage, succeed, type CommandOutcome, type Outcome } from '../../../outcome.ts';
import { formatCard } from '../../../output/card.ts';
import { isStaff } from '../../money/confirm.ts';
import { askYes } from '../../shared/confirm.ts';
import { identifyActor, type Actor } from '../../users/actor.ts';
import { prepareChunks } from '../prepare.ts';
import { checkResultsTarget } from '../results/target.ts';
import type { BatchInput } from '../rows/input.ts';
import { createBatchUsers } from '../rows/users.ts';
import { runInto, type RunInput } from '../run-into.ts';
import { createTotals, describeTotal, type Total } from '../totals.ts';
import type { Reversal } from './check-options.ts';
import { readReversals, type LeftRows } from './read-results.ts';

/** What a results file holds, looked at before anything is sent. */
type Survey = {
  readonly rows: number;
  readonly invalid: number;
  readonly left: LeftRows;
  readonly totals: readonly Total[];
};

/** Checks a results file, asks, and undoes what it says was done. May throw InputError. */
export async function checkAndReverse(
  context: Context,
  reversal: Reversal,
  input: BatchInput,
): Promise<CommandOutcome> {
  const target = await checkResultsTarget(context, {
    path: reversal.results,
    input: reversal.file,
    mayOverwrite: reversal.mayOverwrite,
    isKnownToBeOurs: reversal.isDryRun && !reversal.areResultsNamed,
  });
  if (!target.ok) return target;
  const self = await identifyActor(context);
  if (!self.ok) return self;
  if (!self.value) return fail('UNEXPECTED', 'the server answered without a user');
  const survey = await surveyResults(reversal, input);
  await noteLeft(context, survey.left);
  if (survey.rows === 0) {
    const hint = survey.left.replayed > 0 ? 'to undo replayed rows too: --include-replayed' : '';
    const message = `${reversal.file} has no row to undo; nothing was sent`;
    return failUsage('file', message, hint === '' ? undefined : hint);
  }
  const confirmed = await confirmReversal(context, reversal, self.value, survey);
  if (!confirmed.ok) return confirmed;
  const place = { ...reversal, replaced: target.value };
  return runInto(context, self.value, place, toRunInput(context, reversal, input, self.value));
}

async function surveyResults(reversal: Reversal, input: BatchInput): Promise<Survey> {
  const left: LeftRows = { replayed: 0, unknown: 0, failed: 0 };
  const totals = createTotals();
  let [rows, invalid] = [0, 0];
  const onLeft = (status: keyof LeftRows): void => void (left[status] += 1);
  for await (const raws of readReversals(input.read(), { ...reversal, onLeft }).rows) {
    for (const { cells, problem } of raws) {
      rows += 1;
      if (problem !== undefined) invalid += 1;
      const { amount = '', currency = '' } = cells;
      const parsed = parseAmount(amount, findExponent(currency) ?? 0);
      if (problem !== undefined || !parsed.ok) continue;
      const amountMinor = parsed.minor;
      totals.add({ status: 'valid', operation: 'reversal', currency, rows: 1, amountMinor });
    }
  }
  return { rows, invalid, left, totals: totals.list() };
}

/** Says which rows stay as they are though something may have been done. */
async function noteLeft({ reporter }: Context, { replayed, unknown }: LeftRows): Promise<void> {
  if (replayed > 0) {
    await reporter.warnAlways(
      `${replayed} replayed rows are left, which an earlier run did: to undo them too, add ` +
        '--include-replayed',
    );
  }
  if (unknown > 0) {
    await reporter.warnAlways(
      `${unknown} rows of unknown outcome are left: run the batch again first, so that each has one`,
    );
  }
}

async function confirmReversal(
  context: Context,
  reversal: Reversal,
  self: Actor,
  { rows, invalid, totals }: Survey,
): Promise<Outcome<undefined>> {
  if (reversal.isDryRun || context.isConfirmed) return succeed(undefined);
  const card = formatCard(
    { io: { ...context.io, stdout: context.io.stderr }, manner: context.manner },
    [
      ['server', context.settings.server.text],
      ['as', `${self.email ?? self.id} (${self.role ?? 'unknown role'})`],
      ['undoes', reversal.file],
      ['results', reversal.results],
      ['rows', invalid === 0 ? String(rows) : `${rows}, ${invalid} of them invalid`],
      ...totals.map((total) => [total.operation, describeTotal(total)] as const),
    ],
  );
  await context.io.stderr.write(card);
  return askYes(context, 'Undo these transactions?');
}

function toRunInput(
  context: Context,
  reversal: Reversal,
  input: BatchInput,
  self: Actor,
): RunInput {
  const { file, format, isDryRun, maxErrors, areReplayedIncluded } = reversal;
  const defaults = {
    ...{ currency: context.settings.currency, user: undefined },
    ...{ isStaff: isStaff(self.role), isKeyNeeded: true, isGroup: false },
  };
  return {
    ...{ file, isDryRun, maxErrors },
    onlyReplayed: 'every row had been undone before, by this command',
    identity: { command: 'reverse', format, includeReplayed: String(areReplayedIncluded) },
    open: (resumed) => {
      const reader = readReversals(input.read(), reversal);
      const users = createBatchUsers(context, self);
      return {
        source: prepareChunks({ reader, resumed, batchId: undefined, users, defaults }),
        // Rows are read ahead of their results.
        partOf: (rows) =>
          Math.min(1, (reader.bytesRead() / input.sizeBytes) * (rows / reader.rowsRead())),
      };
    },
  };
}
