import { isUuid } from '../../core/ids.ts';
import { refuse, succeed, type Result } from '../../core/reasons.ts';
import { findTextProblem } from '../../core/text.ts';
import { deny } from './access.ts';
import { appendAudits, type AuditEntry } from './audit.ts';
import type { DeadLetter } from './broker.ts';
import { createFairSemaphore } from './concurrency/fair-semaphore.ts';
import type { Db, Tx } from './db.ts';
import {
  findKey,
  parseJson,
  toReplays,
  type Replay,
  type ReplayChange,
  type ReplayOutcome,
  type ReplayPlan,
} from './dead-letter-replays.ts';
import {
  attemptSql,
  decideSql,
  insertSql,
  listSql,
  lockSql,
  microsSql,
  readSql,
  toLetter,
  type DeadLetterState,
  type Row,
  type StoredLetter,
} from './dead-letter-rows.ts';
import { redact } from './dead-letter-text.ts';
import type { CallContext } from './grpc/calls.ts';
import { decodePageToken, encodePageToken, pageSizeOf } from './page-token.ts';
import { clean } from './storable.ts';

export type DeadLetters = {
  list(query: LetterQuery): Promise<Result<{ letters: StoredLetter[]; nextPageToken: string }>>;
  /** Handles them again by the same way; DEAD_LETTER_SETTLED if one was decided already. */
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

type LetterQuery = {
  readonly pageSize: number;
  readonly pageToken: string;
  readonly state: DeadLetterState | undefined;
  readonly reason: string;
  readonly ids: readonly string[];
};

const maxBodyLength = 64 * 1024;
const maxIds = 100;

/** Keeps letters; one that is kept already (a redelivery) stays as it is. */
export async function buryLetters(db: Db, letters: readonly DeadLetter[]): Promise<void> {
  const bodies = letters.map(({ text }) => clean(redact(text)));
  await db.tx((tx) =>
    tx.execute(insertSql, [
      letters.map((l) => l.id),
      letters.map((l) => clean(l.queue)),
      letters.map((l) => findKey(l.messageId, parseJson(l.text)) ?? null),
      letters.map((l) => clean(l.reason)),
      letters.map((l) => (l.field === undefined ? null : clean(l.field))),
      bodies.map((body) => body.slice(0, maxBodyLength)),
      bodies.map((body) => body.length > maxBodyLength),
      letters.map((l, i) => l.isAltered === true || bodies[i]?.slice(0, maxBodyLength) !== l.text),
      letters.map((l) => (l.userId === undefined ? null : clean(l.userId))),
    ]),
  );
}

const cursorShape = {
  micros: /^\d{1,17}$/,
  id: /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/,
};

/** The dead letters of one service: kept in its own table, decided under a lock, audited. */
export function createDeadLetters(options: {
  readonly db: Db;
  readonly plan: PlanReplays;
}): DeadLetters {
  const { db, plan } = options;
  const semaphore = createFairSemaphore(replayLimits);
  return {
    list: (query) => list(db, query),
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
        const refusal = findStateProblem(ids, letters);
        if (refusal) return refusal;
        if (isDryRun) return succeed(letters);
        const line = { action: 'dead_letter.discard', target: ids.join(','), result: 'ok' };
        const details = { note: clean(note) };
        await appendAudits(tx, [{ actor: context, line: { ...line, details } }]);
        return succeed(await decide(tx, ids, 'discarded', context));
      });
    },
  };
}

/**
 * A replay holds a connection while its effect takes another one of the same pool: more at once
 * could wait for one another, and keep everybody else from the database.
 */
const replayLimits = { maxAtOnce: 2, maxWaiting: 64, maxWaitingOf: [16] };

/** Dead letters are of all wallets: an API key for one wallet neither sees nor discards them. */
export function checkUnbound({ principal }: Pick<CallContext, 'principal'>): Result<void> {
  const isBound = principal.kind === 'user' && principal.apiKey?.walletId !== undefined;
  return isBound ? deny('this API key is for one wallet only') : succeed(undefined);
}

/**
 * Does what was planned, letters locked. The attempts are committed before: whatever interrupts a
 * replay after its effect, no other replay of the letter can have another effect.
 */
async function runReplays(
  db: Db,
  replays: readonly Replay[],
  plan: ReplayPlan,
  context: CallContext,
): Promise<Result<StoredLetter[]>> {
  const ids = replays.map(({ letter }) => letter.id);
  const known = replays.map(({ letter }) => letter.attemptId ?? null);
  const effects = plan.effectIds.map((id, i) => id ?? known[i] ?? null);
  const isTaken = await db.tx(
    async (tx) => (await tx.execute(attemptSql, [ids, effects, known])) === ids.length,
  );
  return db.tx(async (tx) => {
    const letters = (await tx.query<Row>(lockSql, [ids])).map(toLetter);
    const refusal = findStateProblem(ids, letters);
    if (refusal) return refusal;
    const isOurs = ({ id, attemptId }: StoredLetter): boolean =>
      (attemptId ?? null) === effects[ids.indexOf(id)];
    const lost = isTaken ? letters.find((letter) => !isOurs(letter)) : letters[0];
    if (lost) return beingReplayed(lost);
    // In transactions of its own: a crash between the two does it once more, which its key makes
    // harmless.
    const outcomes = await plan.run();
    const done = replays.flatMap(({ letter, isChanged }, i) => {
      const outcome = outcomes[i];
      return outcome?.kind === 'done' ? [{ letter, isChanged, outcome }] : [];
    });
    await appendAudits(
      tx,
      done.flatMap((item) => (item.outcome.isRecorded ? [] : [toAuditEntry(item, context)])),
    );
    const decided = await decide(
      tx,
      done.map(({ letter }) => letter.id),
      'replayed',
      context,
      done.map(({ outcome }) => outcome.result),
    );
    const dead = outcomes.find((outcome) => outcome.kind === 'dead');
    return dead ? stillDead(dead) : succeed(decided);
  });
}

function toAuditEntry(
  {
    letter,
    isChanged,
    outcome,
  }: {
    readonly letter: StoredLetter;
    readonly isChanged: boolean;
    readonly outcome: Extract<ReplayOutcome, { kind: 'done' }>;
  },
  actor: CallContext,
): AuditEntry {
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

async function list(db: Db, query: LetterQuery): ReturnType<DeadLetters['list']> {
  const isNowhere =
    query.ids.some((id) => !isUuid(id)) || findTextProblem(query.reason, 255) !== undefined;
  if (isNowhere) return succeed({ letters: [], nextPageToken: '' });
  const size = pageSizeOf(query.pageSize, 50, 500);
  if (!size.ok) return size;
  const bound = [query.state, query.reason, query.ids];
  const cursor = decodePageToken(bound, query.pageToken, cursorShape);
  if (!cursor.ok) return cursor;
  return db.read(async (tx) => {
    const after = [cursor.value?.['micros'] ?? '0', cursor.value?.['id'] ?? noId];
    const values = [query.state, query.reason, query.ids, ...after, size.value + 1];
    const found = (await tx.query<Row>(listSql, values)).map(toLetter);
    const letters = found.slice(0, size.value);
    const last = found.length > size.value ? letters.at(-1) : undefined;
    if (!last) return succeed({ letters, nextPageToken: '' });
    const [row] = await tx.query<{ micros: bigint }>(microsSql, [last.id]);
    const next = { micros: String(row?.micros ?? 0n), id: last.id };
    return succeed({ letters, nextPageToken: encodePageToken(bound, next) });
  });
}

const noId = '00000000-0000-0000-0000-000000000000';

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
  const settled = letters.find((letter) => letter.state !== 'pending');
  return (
    settled &&
    refuse('DEAD_LETTER_SETTLED', `dead letter ${settled.id} was ${settled.state} already`, {
      deadLetterId: settled.id,
      state: settled.state,
    })
  );
}

const beingReplayed = ({ id, state }: StoredLetter) =>
  refuse('DEAD_LETTER_SETTLED', `dead letter ${id} is being replayed by another call: look again`, {
    deadLetterId: id,
    state,
  });

const notFound = (id: string) =>
  refuse('DEAD_LETTER_NOT_FOUND', `there is no dead letter ${id}`, { deadLetterId: id });
