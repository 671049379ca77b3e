import { randomUUID } from 'node:crypto';

import { isUuid } from '../../../core/ids.ts';
import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { deny } from '../access/access.ts';
import { appendAudits, type AuditEntry } from '../audit/audit.ts';
import { createFairSemaphore } from '../concurrency/fair-semaphore.ts';
import type { Db, Tx } from '../db/db.ts';
import {
  toReplays,
  type Replay,
  type ReplayChange,
  type ReplayOutcome,
  type ReplayPlan,
} from './replays.ts';
import {
  claimSql,
  decideSql,
  lockSql,
  readSql,
  releaseSql,
  toLetter,
  type Row,
  type StoredLetter,
} from './rows.ts';
import { listLetters, type LetterPage, type LetterQuery } from './list.ts';
import type { CallContext } from '../grpc/calls.ts';
import { stripUnstorable } from '../db/storable.ts';

export { storeLetters } from './store.ts';

export type DeadLetters = {
  list(query: LetterQuery): Promise<Result<LetterPage>>;
  /** Handles them again by the same way; DEAD_LETTER_RESOLVED if one was decided already. */
  replay(
    request: ReplayChange & { readonly ids: readonly string[]; readonly isDryRun: boolean },
    context: CallContext,
  ): Promise<Result<StoredLetter[]>>;
  discard(
    request: { readonly ids: readonly string[]; readonly note: string; readonly isDryRun: boolean },
    context: CallContext,
  ): Promise<Result<StoredLetter[]>>;
};

/**
 * Authorises replays and says what they would do: all the checks of a dry run. One that is changed
 * is an action of the caller, the others stay the producer's.
 */
export type PlanReplays = (
  replays: readonly Replay[],
  context: CallContext,
  isDryRun: boolean,
) => Promise<Result<ReplayPlan>>;

const maxIds = 100;

/** The dead letters of one service: kept in its own table, each decision audited. */
export function createDeadLetters(options: {
  readonly db: Db;
  readonly plan: PlanReplays;
}): DeadLetters {
  const { db, plan } = options;
  const semaphore = createFairSemaphore(replayLimits);
  return {
    list: (query) => listLetters(db, query),
    replay: async ({ ids, body, messageId, isDryRun }, context) => {
      const problem = findIdProblem(ids);
      if (problem) return problem;
      const letters = (await db.read((tx) => tx.query<Row>(readSql, [ids]))).map(toLetter);
      const refusal = findStateProblem(ids, letters);
      if (refusal) return refusal;
      const replays = toReplays(letters, { body, messageId });
      if (!replays.ok) return replays;
      const planned = await plan(replays.value, context, isDryRun);
      if (!planned.ok) return planned;
      if (isDryRun) return succeed(letters);
      const { principal, deadlineMs } = context;
      const path = [principal.kind === 'user' ? principal.userId : principal.kind];
      const turn = { path, deadlineMs, isCancelled: () => context.isCancelled() };
      const ran = await semaphore.run(turn, () =>
        runReplays(db, replays.value, planned.value, context),
      );
      return ran.ok ? ran.value : ran;
    },
    discard: async ({ ids, note, isDryRun }, context) => {
      const problem = findIdProblem(ids);
      if (problem) return problem;
      const bound = checkUnbound(context);
      if (!bound.ok) return bound;
      return db.tx(async (tx) => {
        const letters = (await tx.query<Row>(lockSql, [ids])).map(toLetter);
        const refusal = findStateProblem(ids, letters) ?? findClaimProblem(letters);
        if (refusal) return refusal;
        if (isDryRun) return succeed(letters);
        const line = { action: 'dead_letter.discard', target: ids.join(','), result: 'ok' };
        const details = { note: stripUnstorable(note) };
        await appendAudits(tx, [{ actor: context, line: { ...line, details } }]);
        return succeed(await decide(tx, ids, 'discarded', context));
      });
    },
  };
}

/** So that one person's many replays leave room for those of others. */
const replayLimits = { maxAtOnce: 4, maxWaiting: 64, maxWaitingOf: [16] };

/** Dead letters are of all wallets: an API key for one wallet neither sees nor discards them. */
export function checkUnbound({ principal }: Pick<CallContext, 'principal'>): Result<void> {
  const isBound = principal.kind === 'user' && principal.apiKey?.walletId !== undefined;
  return isBound ? deny('this API key is for one wallet only') : succeed(undefined);
}

/**
 * Does what was planned, in three steps with a transaction each and none between them: the letters
 * are claimed, with what each is to do; that is done; the decision is kept. Whatever interrupts it,
 * the letter is pending again once the claim is over, and no replay has another effect than this.
 */
async function runReplays(
  db: Db,
  replays: readonly Replay[],
  plan: ReplayPlan,
  context: CallContext,
): Promise<Result<StoredLetter[]>> {
  const ids = replays.map(({ letter }) => letter.id);
  const claimId = randomUUID();
  const claimed = await db.tx((tx) => claim(tx, replays, plan.effectIds, claimId));
  if (!claimed.ok) return claimed;
  let outcomes: readonly ReplayOutcome[];
  try {
    outcomes = await plan.run();
  } catch (err) {
    // Where this fails, the claim ends by itself.
    await db.tx((tx) => tx.execute(releaseSql, [ids, claimId])).catch(() => undefined);
    throw err;
  }
  const done = replays.flatMap(({ letter, isChanged }, i) => {
    const outcome = outcomes[i];
    return outcome?.kind === 'done' ? [{ letter, isChanged, outcome }] : [];
  });
  const decided = await db.tx((tx) => keepDecisions(tx, ids, done, claimId, context));
  const dead = outcomes.find((outcome) => outcome.kind === 'dead');
  return dead ? stillDead(dead) : decided;
}

/** All of them, or none. */
async function claim(
  tx: Tx,
  replays: readonly Replay[],
  effectIds: ReplayPlan['effectIds'],
  claimId: string,
): Promise<Result<void>> {
  const ids = replays.map(({ letter }) => letter.id);
  const letters = (await tx.query<Row>(lockSql, [ids])).map(toLetter);
  const refusal = findStateProblem(ids, letters) ?? findClaimProblem(letters);
  if (refusal) return refusal;
  // Another replay has been at work since the letter was read: what this one may do is not known.
  const overtaken = replays.find(({ letter }) => {
    const now = letters.find(({ id }) => id === letter.id);
    return now?.attemptId !== letter.attemptId;
  });
  if (overtaken) return beingReplayed(overtaken.letter);
  const effects = replays.map(({ letter }, i) => effectIds[i] ?? letter.attemptId ?? null);
  await tx.execute(claimSql, [ids, effects, claimId]);
  return succeed(undefined);
}

type Done = {
  readonly letter: StoredLetter;
  readonly isChanged: boolean;
  readonly outcome: Extract<ReplayOutcome, { kind: 'done' }>;
};

/** What was done is decided, unless the claim ended meanwhile and another replay has decided. */
async function keepDecisions(
  tx: Tx,
  ids: readonly string[],
  done: readonly Done[],
  claimId: string,
  context: CallContext,
): Promise<Result<StoredLetter[]>> {
  const rows = await tx.query<Row & { claim_id: string | null }>(lockSql, [ids]);
  const isOurs = (id: string): boolean =>
    rows.some((row) => row.id === id && row.state === 'pending' && row.claim_id === claimId);
  const ours = done.filter(({ letter }) => isOurs(letter.id));
  await appendAudits(
    tx,
    ours.flatMap((item) => (item.outcome.isRecorded ? [] : [toAuditEntry(item, context)])),
  );
  const decided = await decide(
    tx,
    ours.map(({ letter }) => letter.id),
    'replayed',
    context,
    ours.map(({ outcome }) => outcome.result),
  );
  await tx.execute(releaseSql, [ids, claimId]);
  const lost = done.find((item) => !ours.includes(item));
  return lost ? beingReplayed(lost.letter) : succeed(decided);
}

function toAuditEntry({ letter, isChanged, outcome }: Done, actor: CallContext): AuditEntry {
  const { result } = outcome;
  const details = { changed: String(isChanged), ...outcome.details };
  return { actor, line: { action: 'dead_letter.replay', target: letter.id, result, details } };
}

async function decide(
  tx: Tx,
  ids: readonly string[],
  state: 'replayed' | 'discarded',
  { principal }: CallContext,
  results: readonly string[] = [],
): Promise<StoredLetter[]> {
  const actor = principal.kind === 'user' ? principal.userId : 'service';
  const values = [ids, state, actor, ids.map((_, i) => results[i] ?? null)];
  const decided = (await tx.query<Row>(decideSql, values)).map(toLetter);
  return ids.flatMap((id) => decided.filter((letter) => letter.id === id));
}

/** Why a replay is no message that can be handled. */
export const stillDead = ({
  reason,
  field,
}: Extract<ReplayOutcome, { kind: 'dead' }>): ReturnType<typeof refuse> =>
  refuse('INVALID_ARGUMENT', `still not a message that can be handled: ${reason}`, {
    field,
    reason,
  });

function findIdProblem(ids: readonly string[]) {
  if (ids.length === 0 || ids.length > maxIds || new Set(ids).size !== ids.length) {
    return refuse('INVALID_ARGUMENT', `name 1 to ${maxIds} different dead letters`, {
      field: 'dead_letter_ids',
    });
  }
  const unknown = ids.find((id) => !isUuid(id));
  return unknown === undefined ? undefined : notFound(unknown);
}

function findStateProblem(ids: readonly string[], letters: readonly StoredLetter[]) {
  const missing = ids.find((id) => !letters.some((letter) => letter.id === id));
  if (missing !== undefined) return notFound(missing);
  const resolved = letters.find((letter) => letter.state !== 'pending');
  return (
    resolved &&
    refuse('DEAD_LETTER_RESOLVED', `dead letter ${resolved.id} was ${resolved.state} already`, {
      deadLetterId: resolved.id,
      state: resolved.state,
    })
  );
}

function findClaimProblem(letters: readonly StoredLetter[]) {
  const claimed = letters.find(({ isClaimed }) => isClaimed);
  return claimed && beingReplayed(claimed);
}

const beingReplayed = ({ id, state }: StoredLetter) =>
  refuse(
    'DEAD_LETTER_RESOLVED',
    `dead letter ${id} is being replayed by another call: look again`,
    {
      deadLetterId: id,
      state,
    },
  );

const notFound = (id: string) =>
  refuse('DEAD_LETTER_NOT_FOUND', `there is no dead letter ${id}`, { deadLetterId: id });
