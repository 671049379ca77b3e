import { join } from 'node:path';

import type { FileLock } from '../../../lib/file-lock.ts';
import type { Context } from '../../context.ts';
import { withLock } from '../../files/lock.ts';
import {
  exitCodes,
  fail,
  failUsage,
  succeed,
  type CommandOutcome,
  type Outcome,
} from '../../outcome.ts';
import { isStaff } from '../money/confirm.ts';
import { identifyActor, resolveUser, type Actor } from '../users/actor.ts';
import type { Batch } from './check-options.ts';
import { confirmBatch } from './confirm.ts';
import { checkKnownBatch } from './known/check-known.ts';
import { hashBatchName, openKnownBatch, type KnownBatch } from './known/known-batch.ts';
import { prepareChunks } from './prepare.ts';
import type { Progress } from './results/run-files.ts';
import { checkResultsTarget } from './results/target.ts';
import { keysHint } from './rows/csv-rows.ts';
import type { Chunk } from './rows/chunk.ts';
import type { BatchInput } from './rows/input.ts';
import { InputError } from './rows/raw-row.ts';
import { readRows, type RowReader } from './rows/rows.ts';
import { createBatchUsers, failLookUp, type BatchUsers } from './rows/users.ts';
import { runInto, type OpenRows, type RunInput, type RunTarget } from './run-into.ts';
import { surveyRows, type Survey } from './survey.ts';

/** A batch with all that its rows are checked with. */
type Checks = {
  readonly context: Context;
  readonly batch: Batch;
  readonly input: BatchInput;
  readonly self: Actor;
  readonly users: BatchUsers;
};

/** Checks all rows of a batch, asks, and runs it. May throw InputError before anything is sent. */
export async function checkAndRun(
  context: Context,
  batch: Batch,
  input: BatchInput,
): Promise<CommandOutcome> {
  if (batch.batchId === undefined) {
    const keyless = await findKeyless(batch, input);
    if (keyless !== undefined) return failKeyless(keyless);
  }
  const target = await checkResultsTarget(context, {
    path: batch.results,
    input: batch.file,
    mayOverwrite: batch.mayOverwrite,
    isKnownToBeOurs: batch.isDryRun && !batch.areResultsNamed,
  });
  if (!target.ok) return target;
  const self = await identifyActor(context);
  if (!self.ok) return self;
  if (!self.value) return fail('UNEXPECTED', 'the server answered without a user');
  const user = await resolveUser(context, batch.user, true);
  if (!user.ok) return user.failure.exitCode === exitCodes.notAllowed ? failLookUp : user;
  const checks: Checks = {
    ...{ context, input, self: self.value, users: createBatchUsers(context, self.value) },
    batch: { ...batch, user: user.value?.id },
  };
  const place: RunTarget = { ...batch, replaced: target.value };
  return withKnown(checks, (known) => runChecked(checks, place, known));
}

/** The first row without a key of its own, and how many there are. */
async function findKeyless(batch: Batch, input: BatchInput) {
  let [first, count] = [0, 0];
  for await (const rows of openReader(batch, input).rows) {
    for (const { row, cells, problem } of rows) {
      if (problem !== undefined || (cells.key ?? '').trim() !== '') continue;
      if (count === 0) first = row;
      count += 1;
    }
  }
  return count === 0 ? undefined : { first, count };
}

function failKeyless({ first, count }: { readonly first: number; readonly count: number }) {
  const others = count === 1 ? '' : ` (and ${count - 1} others)`;
  const message = `row ${first}${others} has no key, and there is no --batch-id; nothing was sent`;
  return failUsage('batch-id', message, keysHint);
}

/** Opens what is known of the batch id; only one process at a time runs a batch. */
async function withKnown(
  { context, batch, self }: Checks,
  work: (known: KnownBatch | undefined) => Promise<CommandOutcome>,
): Promise<CommandOutcome> {
  const { batchId, isDryRun } = batch;
  if (batchId === undefined) return work(undefined);
  const { stateDir } = context.environment.paths;
  const name = { server: context.settings.server.text, caller: self.id, batchId };
  const open = async (lock: Pick<FileLock, 'isHeld'>): Promise<CommandOutcome> => {
    const known = await openKnownBatch(join(stateDir, 'batches'), name, lock);
    if (!known.ok) return known;
    try {
      return await work(known.value);
    } finally {
      await known.value.close();
    }
  };
  // A dry run records nothing.
  if (isDryRun) return open({ isHeld: () => Promise.resolve(false) });
  return withLock(join(stateDir, 'locks'), `batch-id-${hashBatchName(name)}`, 0, open);
}

async function runChecked(
  checks: Checks,
  target: RunTarget,
  known: KnownBatch | undefined,
): Promise<CommandOutcome> {
  const { context, batch, input, self } = checks;
  const surveyed = await surveyRows(openRows(checks, undefined).source, known);
  if (!surveyed.ok) return surveyed;
  const survey = surveyed.value;
  if (survey.rows === 0 && !batch.mayBeEmpty) throw emptyInput(input);
  await warnOfRows(context, batch, survey);
  if (known) {
    const { isDryRun, mayHaveNewRows: isAllowed } = batch;
    const agreed = await checkKnownBatch(context, known.compare(), {
      ...{ isAllowed, isDryRun },
      newRows: survey.newRows,
    });
    if (!agreed.ok) return agreed;
  }
  const confirmed = await confirmBatch(context, batch, self, survey);
  if (!confirmed.ok) return confirmed;
  const begun = batch.isDryRun ? undefined : await known?.begin(survey.rows);
  if (begun?.ok === false) return begun;
  return runInto(context, self, target, toRunInput(checks, known, survey));
}

const emptyInput = ({ isPiped }: BatchInput): InputError =>
  isPiped
    ? new InputError(
        'has no rows; nothing was sent',
        'check whether the program that writes it failed; if no rows are right, add --allow-empty',
      )
    : new InputError('has no rows; nothing was sent', 'if that is right, add --allow-empty');

/** What a person should know of the rows before they are sent. */
async function warnOfRows(context: Context, batch: Batch, survey: Survey): Promise<void> {
  const { invalid, examples, shortenedKeyRow } = survey;
  if (shortenedKeyRow !== undefined) {
    await context.reporter.warnAlways(
      `the key of row ${shortenedKeyRow} looks like a number that a spreadsheet shortened, with ` +
        'digits lost: format the column as text',
    );
  }
  if (batch.isDryRun || context.isConfirmed || invalid === 0) return;
  for (const { row, message } of examples) {
    await context.reporter.warn(`row ${row} is invalid: ${message}`);
  }
  const more = invalid - examples.length;
  if (more > 0) await context.reporter.warn(`${more} other rows are invalid`);
}

const openReader = (batch: Batch, input: BatchInput): RowReader =>
  readRows(input.read(), {
    ...{ format: batch.format, delimiter: batch.delimiter, isPiped: input.isPiped },
    isKeyNeeded: batch.batchId === undefined,
  });

/** The rows from the first on, with their keys made anew. */
function openRows({ batch, input, self, users }: Checks, resumed: Progress | undefined) {
  const { batchId, currency, user } = batch;
  const reader = openReader(batch, input);
  const defaults = {
    ...{ currency, user, isStaff: isStaff(self.role), isKeyNeeded: batchId === undefined },
    isGroup: false,
  };
  return { reader, source: prepareChunks({ reader, resumed, batchId, users, defaults }) };
}

/** The rows as they were surveyed; each chunk is released once it was asked for. */
function openKept(input: BatchInput, { rows: allRows, chunks = [] }: Survey): OpenRows {
  const left = chunks.splice(0).reverse();
  const take = async function* (): AsyncGenerator<Outcome<Chunk>, void> {
    await input.checkUnchanged();
    for (let next = left.pop(); next; next = left.pop()) yield succeed(next);
  };
  return { source: take(), partOf: (rows) => Math.min(1, rows / allRows) };
}

function toRunInput(checks: Checks, known: KnownBatch | undefined, survey: Survey): RunInput {
  const { batch, input } = checks;
  const { file, format, isDryRun, maxErrors, batchId, user, currency } = batch;
  return {
    ...{ file, isDryRun, maxErrors },
    onlyReplayed:
      'every row was done before under the same key; to run an equal batch as a new one, use ' +
      'another --batch-id',
    // `keys`: how the keys of rows are made. A run of another way cannot be gone on with.
    identity: { batchId: batchId ?? '', user: user ?? '', currency, format, keys: '2' },
    open: (resumed) => {
      if (!resumed && survey.chunks) return openKept(input, survey);
      const { reader, source } = openRows(checks, resumed);
      return {
        source,
        // Rows are read ahead of their results.
        partOf: (rows) =>
          Math.min(1, (reader.bytesRead() / input.sizeBytes) * (rows / reader.rowsRead())),
      };
    },
    ...(known && {
      addPaid: known.addPaid,
      onEnd: async ({ kind, counts, isInDoubt }) => {
        if (kind === 'failed' || counts.unknown > 0 || isInDoubt) return;
        const ended = await known.end();
        if (!ended.ok) await checks.context.reporter.warnAlways(ended.failure.message);
      },
    }),
  };
}
