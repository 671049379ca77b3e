import { resolvesInDoubt } from '../../../core/in-doubt.ts';
import { isReason } from '../../../core/reasons.ts';
import {
  WalletServiceService,
  type BatchCreateTransactionsResponse,
  type TransactionResult,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { done, fail, succeed, type CommandOutcome, type Outcome } from '../../outcome.ts';
import type { View } from '../../output/choose-columns.ts';
import { toCliFailure, toLostFailure, transientReasons, unknownReasons } from '../../rpc/errors.ts';
import { toUnknownOutcome } from '../../rpc/in-doubt.ts';
import type { RepeatedResult } from '../../rpc/retry.ts';
import { toResults, type RowResult } from '../batch/results/results.ts';
import type { NamedGroup } from './read-group.ts';
import { fitGroupHint } from './refusal-hint.ts';
import { printResults, type GroupResult } from './results.ts';

type Refusal = Extract<NonNullable<TransactionResult['outcome']>, { $case: 'refusal' }>['value'];
type Called = RepeatedResult<BatchCreateTransactionsResponse>;

/** Sends a group, prints what became of its rows, and fails as the row that was refused. */
export async function sendGroup(
  context: Context,
  group: NamedGroup,
  view: View<GroupResult>,
): Promise<CommandOutcome> {
  const withdrawWarning = context.interrupts.add(() => {
    if (!group.isDryRun) void context.reporter.noteAlways(unknownText);
  });
  const called = await callUntilDecided(context, group);
  withdrawWarning();
  if (!called.ok) return called;
  const { result, hadUnknownAttempt } = called.value;
  const isInDoubt = hadUnknownAttempt && !group.isDryRun;
  if (!result.ok) {
    const failure = toCliFailure(result.failure, group.isDryRun ? 'read' : 'write');
    const isOpen = isInDoubt && !resolvesInDoubt(result.failure.reason);
    return { ok: false, failure: isOpen ? toUnknownOutcome(failure) : failure };
  }
  const answers = result.value.results;
  const { rows, isDryRun } = group;
  if (answers.length !== rows.length) {
    return fail('UNEXPECTED', `the server gave ${answers.length} results for ${rows.length} rows`);
  }
  const sent = rows.map((row, i) => ({
    row: { ...row, wasSent: isInDoubt },
    ...(answers[i] ? { answer: answers[i] } : {}),
  }));
  const results = toResults(sent, { isDryRun });
  await printResults(context, group, results, view);
  const refusal = findRefusal(answers);
  if (refusal) return failRefused(group, refusal, isInDoubt);
  await noteOutcome(context, group, results, isInDoubt);
  return done;
}

const unknownText =
  'the outcome of the group is unknown: run the same command again; nothing is done twice';

/** The first row that was refused by itself. */
function findRefusal(
  answers: readonly TransactionResult[],
): { readonly refusal: Refusal; readonly place: number } | undefined {
  let aborted: { readonly refusal: Refusal; readonly place: number } | undefined;
  for (const [place, { outcome }] of answers.entries()) {
    if (outcome?.$case !== 'refusal') continue;
    if (outcome.value.reason !== 'GROUP_ABORTED') return { refusal: outcome.value, place };
    aborted ??= { refusal: outcome.value, place };
  }
  return aborted;
}

/** A refusal that will pass is asked again a few times; the keys make that safe. */
const maxAttempts = 4;
const pauseMs = 500;

async function callUntilDecided(context: Context, group: NamedGroup): Promise<Outcome<Called>> {
  const { isDryRun, rows } = group;
  const request = { items: rows.map(({ item }) => item), dryRun: isDryRun };
  let hadUnknownAttempt = false;
  for (let attempt = 1; ; attempt += 1) {
    const method = WalletServiceService.batchCreateTransactions;
    const called = await context.caller.callKeyed(method, request);
    if (!called.ok) return hadUnknownAttempt ? lost(called.failure.message) : called;
    hadUnknownAttempt ||= called.value.hadUnknownAttempt;
    const { result } = called.value;
    const reason = result.ok ? findRefusal(result.value.results)?.refusal.reason : undefined;
    const isPassing = (transientReasons as ReadonlySet<string | undefined>).has(reason);
    if (!isPassing || attempt === maxAttempts) return succeed({ result, hadUnknownAttempt });
    hadUnknownAttempt ||= (unknownReasons as ReadonlySet<string | undefined>).has(reason);
    await context.clock.sleep(pauseMs * attempt);
  }
}

/** No further attempt could be made, and an earlier one may have been done. */
const lost = (message: string): Outcome<Called> =>
  succeed({ result: { ok: false, failure: toLostFailure(message) }, hadUnknownAttempt: true });

function failRefused(
  group: NamedGroup,
  { refusal, place }: { readonly refusal: Refusal; readonly place: number },
  isInDoubt: boolean,
): CommandOutcome {
  const { rows, isDryRun } = group;
  const { reason, message, metadata } = refusal;
  const known = isReason(reason) ? reason : undefined;
  const refused = toCliFailure(
    {
      ...toLostFailure(`row ${rows[place]?.row ?? place + 1}: ${message}; no row was done`),
      ...{ reason: known, certainty: 'refused', metadata },
    },
    isDryRun ? 'read' : 'write',
  );
  const failure = fitGroupHint(refused, group, place);
  if (known !== undefined && unknownReasons.has(known) && !isDryRun) {
    return { ok: false, failure: { ...failure, message: `${message}; ${unknownText}` } };
  }
  const isOpen = isInDoubt && !resolvesInDoubt(reason);
  return { ok: false, failure: isOpen ? toUnknownOutcome({ ...failure, message }) : failure };
}

async function noteOutcome(
  { reporter }: Context,
  { isDryRun, name }: NamedGroup,
  results: readonly RowResult[],
  isInDoubt: boolean,
): Promise<void> {
  if (isDryRun) await reporter.note('dry run: nothing was changed');
  if (isInDoubt || results.some(({ status }) => status !== 'replayed')) return;
  const again = name === undefined ? 'a --group-id' : 'another --group-id';
  await reporter.warnAlways(
    `no new transactions: this group was done before; to run an equal group as a new one, use ${again}`,
  );
}
