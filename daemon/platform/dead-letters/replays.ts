import { isDeepStrictEqual } from 'node:util';

import { refuse, succeed, type Result } from '../../../core/reasons.ts';
import { findTextProblem, textLimits } from '../../../core/text.ts';
import { parseJson, type Handling, type InboundMessage } from '../broker/broker.ts';
import type { StoredLetter } from './rows.ts';

/** A dead letter on its way to be handled once more. */
export type Replay = {
  readonly letter: StoredLetter;
  readonly message: InboundMessage;
  /** The body or the key is not the message's own: an action of the person who replays it. */
  readonly isChanged: boolean;
};

/** What came of one. `result`: `ok`, `replayed`, or the reason for which it was refused. */
export type ReplayOutcome =
  | Extract<Handling, { kind: 'dead' }>
  | {
      readonly kind: 'done';
      readonly result: string;
      readonly details: Readonly<Record<string, string>>;
      /** The audit log has its line already, in the commit of the effect. */
      readonly isRecorded: boolean;
    };

/** What replays would do, authorised and checked; nothing has been done. */
export type ReplayPlan = {
  /** Names the effect of each, where it has one that must not come twice. */
  readonly effectIds: readonly (string | undefined)[];
  /** Does it. One outcome for each, once it is committed. */
  run(): Promise<readonly ReplayOutcome[]>;
};

export type ReplayChange = {
  readonly body: string | undefined;
  readonly messageId: string | undefined;
};

/**
 * The key of a message: its property, or the one in its body. Undefined where neither is usable.
 */
export function findKey(messageId: string | undefined, body: unknown): string | undefined {
  const { data } = (body ?? {}) as { readonly data?: { readonly messageId?: unknown } | null };
  const key = messageId ?? data?.messageId;
  const isUsable =
    typeof key === 'string' &&
    key !== '' &&
    findTextProblem(key, textLimits.idempotencyKey) === undefined;
  return isUsable ? key : undefined;
}

/**
 * The messages to handle again. A change is for one letter only, and its key stays what it was: a
 * message that took effect must be known again. INVALID_ARGUMENT.
 */
export function toReplays(
  letters: readonly StoredLetter[],
  change: ReplayChange,
): Result<readonly Replay[]> {
  if (letters.length > 1 && (change.body !== undefined || change.messageId !== undefined)) {
    const problem = 'a body or a message id can be given to one dead letter only';
    return invalid('dead_letter_ids', problem);
  }
  const replays: Replay[] = [];
  for (const letter of letters) {
    const replay = toReplay(letter, change);
    if (!replay.ok) return replay;
    replays.push(replay.value);
  }
  return succeed(replays);
}

function toReplay(letter: StoredLetter, { body, messageId }: ReplayChange): Result<Replay> {
  const stored = parseJson(letter.body);
  const key = findKey(letter.messageId, stored);
  if (body === undefined && letter.isAltered) {
    const why = letter.isCut ? 'was too long to be kept whole' : 'is not kept as it came';
    return invalid('body', `dead letter ${letter.id} ${why}: give the body with the replay`);
  }
  if (messageId !== undefined && key !== undefined && messageId !== key) {
    return invalid('message_id', `dead letter ${letter.id} has a message id, which it keeps`);
  }
  const isBodyChanged = body !== undefined && (letter.isAltered || !isSameBody(letter.body, body));
  const given = isBodyChanged ? parseJson(body) : stored;
  const inBody = isBodyChanged ? keyInBody(given) : undefined;
  if (inBody !== undefined && key !== undefined && inBody !== key && inBody !== keyInBody(stored)) {
    return invalid(
      'body',
      `dead letter ${letter.id} has a message id: data.messageId must keep it`,
    );
  }
  const isKeyAdded = key === undefined && messageId !== undefined;
  const isChanged = isBodyChanged || isKeyAdded;
  return succeed({
    letter,
    isChanged,
    message: {
      messageId: key ?? messageId ?? letter.messageId,
      body: given,
      text: isBodyChanged ? body : letter.body,
      userId: isChanged ? undefined : letter.userId,
      headers: {},
    },
  });
}

const keyInBody = (body: unknown): string | undefined => findKey(undefined, body);

/** Handling looks at the parsed JSON only: what parses to the same is the same message. */
function isSameBody(stored: string, given: string): boolean {
  if (stored === given) return true;
  const parsed = parseJson(stored);
  return parsed !== undefined && isDeepStrictEqual(parsed, parseJson(given));
}

const invalid = (field: string, problem: string) => refuse('INVALID_ARGUMENT', problem, { field });
