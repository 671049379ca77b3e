import { currencyCodes, exponentOf } from '../../../core/currencies.ts';
import { isUuid, walletIdOf } from '../../../core/ids.ts';
import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import type {
  StatementServiceServer,
  WatchedLine,
  WatchLinesRequest,
  WatchLinesResponse,
} from '../../../protos/gen/digitalwallet/statement/v1/statement.ts';
import {
  checkWalletOfKey,
  resolveSubject,
  userNotFound,
  type UserPrincipal,
} from '../../platform/access/access.ts';
import type { AuditTrail } from '../../platform/audit/audit.ts';
import { recordRead } from '../../platform/audit/reads.ts';
import { createWakeUp } from '../../platform/concurrency/wake-up.ts';
import type { Db } from '../../platform/db/db.ts';
import type { CallContext, Handlers } from '../../platform/grpc/calls.ts';
import { createTransientRejection } from '../../platform/transient-rejection.ts';
import type { Line } from '../domain.ts';
import type { FindUser } from '../exports/peers.ts';
import { toWireLine } from '../wire.ts';
import type { Reporter } from '../witness/record.ts';
import { decodeCursor, maxWallets, type WatchScope } from './cursor.ts';
import type { WatchHub } from './hub.ts';
import { readStep, type Step } from './read-step.ts';
import { createWatchState, findStart, tooManyWallets, type WatchState } from './state.ts';
import { findWallets } from './store.ts';

type WatchOptions = {
  readonly db: Db;
  readonly hub: WatchHub;
  readonly reporter: Reporter;
  readonly trail: Pick<AuditTrail, 'record'>;
  readonly peers: { readonly findUser: FindUser };
  readonly defaultCurrency: string;
  /** Between two responses at most; 10 s if not given, since clients expect one every 15 s. */
  readonly heartbeatMs?: number;
};

/** Users that one watch may name: none has fewer wallets than one that is watched. */
export const maxUsers = maxWallets;

const defaultHeartbeatMs = 10_000;
/** Of one watch, lines are read so often at most, as long as it keeps up. */
const readEveryMs = 50;
/** A client that has gone is noticed within this. */
const lookEveryMs = 250;

/** Live lines of statements: who may watch which wallets, and the wire. */
export function createWatchHandlers(options: WatchOptions): Handlers<StatementServiceServer> {
  return { watchLines: (request, context) => watchLines(options, request, context) };
}

async function watchLines(
  options: WatchOptions,
  request: WatchLinesRequest,
  context: CallContext,
): Promise<Result<AsyncIterable<WatchLinesResponse>>> {
  const { principal } = context;
  if (principal.kind !== 'user') return refuse('PERMISSION_DENIED', 'a user must watch lines');
  const resolved = resolveScope(options, request.userIds, principal);
  if (!resolved.ok) return resolved;
  const scope = resolved.value;
  const cursor = decodeCursor(scope, request.cursor);
  if (!cursor.ok) return cursor;
  const wallets = await options.db.read((tx) => findWallets(tx, scope, maxWallets + 1));
  const owners = new Set(wallets.map(({ userId }) => userId));
  const existing = await checkUsers(options, scope, owners, principal);
  if (!existing.ok) return existing;
  const start = findStart(wallets, cursor.value);
  if (start.length > maxWallets) return tooManyWallets;
  const recorded = await Promise.all(
    scope.userIds.map((target) =>
      recordRead(options.trail, context, { action: 'statement.watch', target }),
    ),
  );
  const unrecorded = recorded.find(({ ok }) => !ok);
  if (unrecorded && !unrecorded.ok) return unrecorded;
  const state = createWatchState(scope, start);
  return succeed(sendSteps(options, state, context, principal.userId));
}

/** Whose wallets are meant, and whether this caller may see them. */
function resolveScope(
  { defaultCurrency }: Pick<WatchOptions, 'defaultCurrency'>,
  named: readonly string[],
  principal: UserPrincipal,
): Result<WatchScope> {
  const userIds = new Set<string>();
  for (const name of named.length === 0 ? [''] : named) {
    if (name !== '' && !isUuid(name)) return notUuid;
    const subject = resolveSubject(principal, name);
    if (!subject.ok) return { ok: false, rejection: withField(subject.rejection) };
    userIds.add(subject.value);
  }
  const onlyWalletId = principal.apiKey?.walletId;
  const scope = { userIds: [...userIds].sort(), onlyWalletId };
  if (onlyWalletId === undefined) return succeed(scope);
  for (const userId of scope.userIds) {
    const isOwner = currencyCodes.some((code) => walletIdOf(userId, code) === onlyWalletId);
    if (isOwner) return succeed({ userIds: [userId], onlyWalletId });
  }
  // Of another user: refused as any wallet is that the key is not for.
  const [first = ''] = scope.userIds;
  const reached = checkWalletOfKey(principal, walletIdOf(first, defaultCurrency));
  return reached.ok ? succeed(scope) : reached;
}

const notUuid = refuse('INVALID_ARGUMENT', 'user_ids must be UUIDs in lower case', {
  field: 'user_ids',
});

const withField = (rejection: Rejection): Rejection => ({
  ...rejection,
  metadata: { ...rejection.metadata, field: 'user_ids' },
});

/**
 * Users who have lines exist, and so does who calls; of the others that staff name the auth service
 * is asked. USER_NOT_FOUND, AUTH_UNAVAILABLE.
 */
async function checkUsers(
  { peers }: Pick<WatchOptions, 'peers'>,
  { userIds }: WatchScope,
  owners: ReadonlySet<string>,
  principal: UserPrincipal,
): Promise<Result<void>> {
  const asked = userIds.filter((id) => id !== principal.userId && !owners.has(id));
  try {
    const found = await Promise.all(asked.map((id) => peers.findUser(id)));
    const unknown = asked.find((_id, i) => found[i] === undefined);
    if (unknown === undefined) return succeed(undefined);
    return { ok: false, rejection: withField(userNotFound(unknown).rejection) };
  } catch {
    return refuse('AUTH_UNAVAILABLE', 'the auth service is unavailable: try again');
  }
}

/** The lines as they come, and a response without any now and then. */
async function* sendSteps(
  options: WatchOptions,
  state: WatchState,
  context: CallContext,
  userId: string,
): AsyncGenerator<WatchLinesResponse, void> {
  const { hub, reporter, heartbeatMs = defaultHeartbeatMs } = options;
  const { isCancelled } = context;
  const wakeUp = createWakeUp();
  const stop = new AbortController();
  const end = (): void => {
    stop.abort();
    wakeUp.wake();
  };
  const wake = (walletId: string): void => {
    if (state.note(walletId)) wakeUp.wake();
  };
  context.stream?.onFinish(end);
  const leave = hub.join({ ...state.scope, listPlaces: state.listPlaces, wake, end });
  try {
    yield toResponse(state, noStep);
    let beatAtMs = nowMs() + heartbeatMs;
    for (;;) {
      if (stop.signal.aborted) throw createTransientRejection(stopping);
      if (isCancelled()) return;
      const isDue = state.isDue();
      if (!isDue && nowMs() < beatAtMs) {
        await wakeUp.wait(Math.min(lookEveryMs, beatAtMs - nowMs()));
        continue;
      }
      const readAtMs = nowMs();
      const step = isDue ? await readStep({ hub, reporter, userId, isCancelled }, state) : noStep;
      if (!isDue || step.lines.length + step.inconsistencies.length > 0) {
        yield toResponse(state, step);
        beatAtMs = nowMs() + heartbeatMs;
      }
      if (isDue && !step.isFull) await pause(readAtMs + readEveryMs - nowMs());
    }
  } finally {
    leave();
  }
}

const noStep: Step = { lines: [], inconsistencies: [], isFull: false };
const nowMs = (): number => performance.now();
const pause = (ms: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));

const { rejection: stopping } = refuse(
  'SHUTTING_DOWN',
  'the server is stopping: watch again with the last cursor',
);

const toResponse = (state: WatchState, { lines, inconsistencies }: Step): WatchLinesResponse => ({
  lines: lines.map(toWatched),
  cursor: state.encodeCursor(),
  inconsistencies: inconsistencies.map(({ text, ...wallet }) => ({
    ...wallet,
    inconsistency: text,
  })),
});

const toWatched = (line: Line): WatchedLine => ({
  walletId: line.walletId,
  userId: line.userId,
  currency: line.currency,
  exponent: exponentOf(line.currency),
  line: toWireLine(line),
});
