import { isUuid } from '../../core/ids.ts';
import { refuse, succeed, type Result } from '../../core/reasons.ts';
import { findTextProblem } from '../../core/text.ts';
import { appendAudit } from './audit.ts';
import type { Consumer, DeadLetter, InboundMessage } from './broker.ts';
import type { Db, Tx } from './db.ts';
import {
  decideSql,
  insertSql,
  listSql,
  lockSql,
  microsSql,
  toLetter,
  type DeadLetterState,
  type Row,
  type StoredLetter,
} from './dead-letter-rows.ts';
import type { CallContext } from './grpc/calls.ts';
import { decodePageToken, encodePageToken, pageSizeOf } from './page-token.ts';

export type DeadLetters = {
  list(query: LetterQuery): Promise<Result<{ letters: StoredLetter[]; nextPageToken: string }>>;
  /** Handles them again by the same way; DEAD_LETTER_SETTLED if one was decided already. */
  replay(
    request: {
      readonly ids: readonly string[];
      readonly body: string | undefined;
      readonly messageId: string | undefined;
      readonly isDryRun: boolean;
    },
    context: CallContext,
  ): Promise<Result<StoredLetter[]>>;
  discard(
    request: { readonly ids: readonly string[]; readonly note: string; readonly isDryRun: boolean },
    context: CallContext,
  ): Promise<Result<StoredLetter[]>>;
};

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
  const bodies = letters.map((letter) => redact(letter.text));
  await db.tx((tx) =>
    tx.execute(insertSql, [
      letters.map((l) => l.id),
      letters.map((l) => clean(l.queue)),
      letters.map((l) => (l.messageId === undefined ? null : clean(l.messageId))),
      letters.map((l) => clean(l.reason)),
      letters.map((l) => (l.field === undefined ? null : clean(l.field))),
      bodies.map((body) => body.slice(0, maxBodyLength)),
      bodies.map((body) => body.length > maxBodyLength),
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
  readonly handle: Consumer['handle'];
}): DeadLetters {
  const { db, handle } = options;

  const decide = async (
    ids: readonly string[],
    context: CallContext,
    state: 'replayed' | 'discarded',
    work: (tx: Tx, letters: readonly StoredLetter[]) => Promise<Result<{ isDryRun: boolean }>>,
  ): Promise<Result<StoredLetter[]>> => {
    const problem = findIdProblem(ids);
    if (problem) return problem;
    return db.tx(async (tx) => {
      const letters = (await tx.query<Row>(lockSql, [ids])).map(toLetter);
      const refusal = findStateProblem(ids, letters);
      if (refusal) return refusal;
      const worked = await work(tx, letters);
      if (!worked.ok) return worked;
      if (worked.value.isDryRun) return succeed(letters);
      const actor = context.principal.kind === 'user' ? context.principal.userId : 'service';
      return succeed((await tx.query<Row>(decideSql, [ids, state, actor])).map(toLetter));
    });
  };

  return {
    list: (query) => list(db, query),
    replay: ({ ids, body, messageId, isDryRun }, context) =>
      decide(ids, context, 'replayed', async (tx, letters) => {
        const messages = toMessages(letters, body, messageId);
        if (!messages.ok) return messages;
        if (isDryRun) return succeed({ isDryRun });
        // Handled in transactions of its own: a crash between the two handles it once more, which
        // its key makes harmless.
        const handlings = await handle(messages.value);
        const dead = handlings.find((handling) => handling.kind === 'dead');
        if (dead) {
          return refuse(
            'INVALID_ARGUMENT',
            `still not a message that can be handled: ${dead.reason}`,
            {
              field: dead.field,
              reason: dead.reason,
            },
          );
        }
        const line = { action: 'dead_letter.replay', target: ids.join(','), result: 'ok' };
        const details = { corrected: String(body !== undefined), messageId: messageId ?? '' };
        await appendAudit(tx, context, { ...line, details });
        return succeed({ isDryRun });
      }),
    discard: ({ ids, note, isDryRun }, context) =>
      decide(ids, context, 'discarded', async (tx) => {
        const line = { action: 'dead_letter.discard', target: ids.join(','), result: 'ok' };
        if (!isDryRun) await appendAudit(tx, context, { ...line, details: { note: clean(note) } });
        return succeed({ isDryRun });
      }),
  };
}

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

const notFound = (id: string) =>
  refuse('DEAD_LETTER_NOT_FOUND', `there is no dead letter ${id}`, { deadLetterId: id });

/** The messages to handle again: with their own keys, or the one given to a single letter. */
function toMessages(
  letters: readonly StoredLetter[],
  body: string | undefined,
  messageId: string | undefined,
): Result<InboundMessage[]> {
  if (letters.length > 1 && (body !== undefined || messageId !== undefined)) {
    return refuse(
      'INVALID_ARGUMENT',
      'a body or a message id can be given to one dead letter only',
      {
        field: 'dead_letter_ids',
      },
    );
  }
  const cut = body === undefined && letters.find((letter) => letter.isCut);
  if (cut) {
    return refuse('INVALID_ARGUMENT', `dead letter ${cut.id} was too long to be kept whole`, {
      field: 'body',
    });
  }
  return succeed(
    letters.map((letter) => {
      const text = body ?? letter.body;
      return {
        messageId: letter.messageId ?? messageId,
        body: parseJson(text),
        text,
        userId: undefined,
        headers: {},
      };
    }),
  );
}

/** The JSON that a text is, or undefined. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

/** Values under names that tell of a secret are taken out; what is no JSON stays as it is. */
function redact(text: string): string {
  const parsed = parseJson(text);
  if (typeof parsed !== 'object' || parsed === null) return clean(text);
  if (!/password|secret|token|authorization/i.test(text)) return clean(text);
  const replaced = JSON.stringify(parsed, (key, value: unknown) =>
    /password|secret|token|authorization/i.test(key) ? '[redacted]' : value,
  );
  return clean(replaced);
}

/** Postgres takes neither NUL nor half a surrogate pair. */
const clean = (text: string): string =>
  text.replaceAll('\0', '\ufffd').replace(/\p{Surrogate}/gu, '\ufffd');
