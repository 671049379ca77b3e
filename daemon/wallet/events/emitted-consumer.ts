import { hasParent, type Operation } from '../../../core/operations.ts';
import { reasonCodes, type Rejection, type Result } from '../../../core/reasons.ts';
import {
  commandsExchange,
  type Consumer,
  type Handling,
  type InboundMessage,
} from '../../platform/broker/broker.ts';
import type { Db } from '../../platform/db/db.ts';
import { createTransientRejection } from '../../platform/transient-rejection.ts';
import { storeLetters } from '../../platform/dead-letters/dead-letters.ts';
import type { Command } from '../domain.ts';
import type { GroupCommit } from '../commit/group-commit.ts';
import { poison, readEmitted, type EmittedRequest, type Poison } from './messages.ts';
import { outboxFull } from './outbox-full.ts';
import type { AuditedDecision, AuditedCommand } from '../requests/audited-command.ts';
import type { HoldDays } from '../requests/hold-days.ts';
import { isParent, otherSideOf, parentKey, parentMadeBy, type Parent } from '../requests/items.ts';
import { toCommand } from '../requests/request.ts';
import { createStoppedWallets } from '../requests/stopped-wallets.ts';
import type { WalletRefs } from '../requests/wallet-refs.ts';
import { findParents } from '../store/reads.ts';
import type { KnownUsers } from '../requests/users.ts';

export type EmittedOptions = {
  readonly db: Db;
  readonly groupCommit: GroupCommit<AuditedCommand, AuditedDecision>;
  readonly users: KnownUsers;
  readonly walletRefs?: WalletRefs;
  readonly defaultCurrency: string;
  readonly queue: string;
  /** What messages may ask for. */
  readonly allowedOperations: ReadonlySet<Operation>;
  readonly holdDays?: HoldDays;
  /** True while the outbox has no room: then messages wait. */
  readonly isOutboxFull: () => boolean;
};

const done: Handling = { kind: 'done' };
const held: Handling = { kind: 'held' };
/** Two full commits, which may run beside each other. */
const maxBatch = 2_048;
/** Within the time that Postgres lets a replay's transaction wait for it. */
const waitMs = 25_000;
/** A message whose wallet is locked is held after so long, and those for other wallets go on. */
const busyAfterMs = 200;

/**
 * `transaction_emitted`, by the same way as gRPC: many messages share a commit, in the order in
 * which they came. A business refusal is an outcome; trouble with database or auth holds them all.
 */
export function createEmittedConsumer(options: EmittedOptions): Consumer {
  return {
    queue: options.queue,
    bindings: [options.queue, 'transaction_emitted'].map((routingKey) => ({
      exchange: commandsExchange,
      routingKey,
    })),
    maxBatch,
    storeDeadLetters: (letters) => storeLetters(options.db, letters),
    handle: (messages) => handleEmitted(options, messages),
  };
}

async function handleEmitted(
  options: EmittedOptions,
  messages: readonly InboundMessage[],
): Promise<Handling[]> {
  checkOutboxRoom(options);
  const read = await readMessages(options, messages);
  const commands = read.filter((item): item is Command => !('kind' in item));
  const results = await commitAll(options, commands);
  let next = 0;
  return read.map((item) => ('kind' in item ? item : toHandling(results[next++], item)));
}

/** Throws while the outbox has no room. */
function checkOutboxRoom({ isOutboxFull }: Pick<EmittedOptions, 'isOutboxFull'>): void {
  if (!isOutboxFull()) return;
  throw createTransientRejection(outboxFull);
}

/** The command that each message stands for, or why it can never be handled. */
export async function readMessages(
  options: EmittedOptions,
  messages: readonly InboundMessage[],
): Promise<readonly (Command | Poison)[]> {
  const requests = messages.map((message) => readEmitted(message, options.defaultCurrency));
  const unknown = await findUnknownUsers(options, requests);
  const read: (Command | Poison)[] = [];
  // Parents that are not committed yet, since they come in the same batch.
  const parents = new Map<string, Command>();
  for (const request of requests) {
    if ('kind' in request) {
      read.push(request);
      continue;
    }
    const refused = findRefusal(options, request, unknown);
    if (refused) {
      read.push(refused);
      continue;
    }
    // Awaited only where the database has to be asked: that is seldom.
    const reading = readCommand(options, request, parents);
    const command = reading instanceof Promise ? await reading : reading;
    if (!('kind' in command) && isParent(command, '')) {
      parents.set(command.transactionId, command);
    }
    read.push(command);
  }
  return read;
}

/** Why a request that is well formed can never be handled as things are; undefined if it can. */
function findRefusal(
  { allowedOperations }: EmittedOptions,
  { userId, otherUserId, operation }: EmittedRequest,
  unknown: ReadonlySet<string>,
): Poison | undefined {
  if (unknown.has(userId)) return poison('USER_NOT_FOUND', 'data.userId');
  if (otherUserId !== undefined && unknown.has(otherUserId)) {
    return poison('USER_NOT_FOUND', 'data.transaction.toUserId');
  }
  if (allowedOperations.has(operation)) return undefined;
  return poison('OPERATION_NOT_ALLOWED', 'data.transaction.operation');
}

/**
 * The transaction that a message has, if it took effect once: whatever is allowed or known by now.
 */
export async function findEffectId(
  options: EmittedOptions,
  message: InboundMessage,
): Promise<string | undefined> {
  const request = readEmitted(message, options.defaultCurrency);
  if ('kind' in request) return undefined;
  const command = await readCommand(options, request, new Map());
  return 'kind' in command ? undefined : command.transactionId;
}

/**
 * All are waited for. After a command that was given up nothing more is begun on its wallet: what
 * comes again must not be overtaken.
 */
export async function commitAll(
  { groupCommit }: EmittedOptions,
  commands: readonly AuditedCommand[],
): Promise<readonly (Result<AuditedDecision> | undefined)[]> {
  const stopped = createStoppedWallets();
  const waiting = {
    deadlineMs: performance.now() + waitMs,
    busyAfterMs,
    isCancelled: (command: Command) => stopped.find(command) !== undefined,
    onGivenUp: (rejection: Rejection, command: Command) => stopped.add(command, rejection),
  };
  const { completed } = await groupCommit.submitMany(commands, waiting);
  const results = await completed;
  return results.map((result, i) => {
    const command = commands[i];
    const rejection = result.ok || !command ? undefined : stopped.find(command);
    const isHeldBack = !result.ok && result.rejection.reason === 'CANCELLED';
    return isHeldBack && rejection ? { ok: false, rejection } : result;
  });
}

async function findUnknownUsers(
  { users }: EmittedOptions,
  requests: readonly (EmittedRequest | Poison)[],
): Promise<ReadonlySet<string>> {
  const ids = requests.flatMap((request) => {
    if ('kind' in request) return [];
    const { userId, otherUserId } = request;
    return otherUserId === undefined ? [userId] : [userId, otherUserId];
  });
  try {
    return await users.findUnknown([...new Set(ids)]);
  } catch (cause) {
    const message = 'the auth service is unavailable: nothing was done, try again';
    throw createTransientRejection({ reason: 'AUTH_UNAVAILABLE', message, metadata: {} }, cause);
  }
}

function readCommand(
  { db, defaultCurrency, walletRefs, holdDays }: EmittedOptions,
  request: EmittedRequest,
  parents: ReadonlyMap<string, Command>,
): Command | Poison | Promise<Command | Poison> {
  const { parentId, userId } = request;
  const read = (parent: Parent | undefined): Command | Poison => {
    const currency = request.currency ?? parent?.currency ?? defaultCurrency;
    const { operation } = request;
    const otherUserId = hasParent(operation) ? otherSideOf(operation, parent) : request.otherUserId;
    const command = toCommand({ ...request, currency, otherUserId }, walletRefs, holdDays);
    return command.ok ? command.value : toPoison(command.rejection);
  };
  if (parentId === undefined) return read(undefined);
  const made = parents.get(parentId);
  const known = made && parentMadeBy(made, userId);
  if (known) return read(known);
  const key = { id: parentId, userId };
  return db
    .read((tx) => findParents(tx, [key]))
    .then((found) => read(found.get(parentKey(userId, parentId))));
}

/** The fields of the envelope, by their names in the domain. */
const fieldPaths: Readonly<Record<string, string>> = {
  idempotency_key: 'messageId',
  parent_id: 'data.transaction.id',
  amount: 'data.transaction.amount',
  currency: 'data.transaction.currency',
  merchant: 'data.transaction.merchant',
  description: 'data.transaction.description',
  to_user_id: 'data.transaction.toUserId',
  via: 'data.transaction.via',
  expires_at: 'data.transaction.expiresAt',
  expires_in_seconds: 'data.transaction.expiresInSeconds',
  keep_rest: 'data.transaction.keepRest',
  metadata: 'data.transaction.metadata',
};

function toPoison({ reason, metadata }: Rejection): Poison {
  const field = metadata['field'] ?? '';
  return poison(
    reason === 'INVALID_ARGUMENT' ? 'INVALID_FIELD' : reason,
    fieldPaths[field] ?? field,
  );
}

/** Trouble of one wallet, which must not hold up the messages for others. */
const ofOneWallet: ReadonlySet<string> = new Set(['WALLET_BUSY', 'INTERNAL']);

/** Trouble of one wallet that only an operator can end, who can replay its messages then. */
const forOperators: ReadonlySet<string> = new Set(['WALLET_CLOCK_AHEAD', 'WALLET_CORRUPT']);

/** Codes of refusals that are final answers to the message. */
const finalCodes: ReadonlySet<string> = new Set([
  ...['INVALID_ARGUMENT', 'FAILED_PRECONDITION', 'NOT_FOUND', 'ALREADY_EXISTS'],
  'PERMISSION_DENIED',
]);

/**
 * What becomes of a message; throws where all of them have to wait. Every refusal that is no answer
 * to the message is trouble that will pass: to wait loses nothing.
 */
export function toHandling(
  result: Result<AuditedDecision> | undefined,
  command: Pick<Command, 'wallet' | 'operation'>,
): Handling {
  if (!result) throw new Error('a message got no answer');
  if (result.ok) return done;
  const { reason, metadata } = result.rejection;
  if (metadata['cause'] === 'content') return poison('INTERNAL', 'body');
  if (ofOneWallet.has(reason)) return held;
  if (forOperators.has(reason)) return poison(reason, pathOfWallet(metadata['walletId'], command));
  if (!finalCodes.has(reasonCodes[reason])) throw createTransientRejection(result.rejection);
  return done;
}

/** The field that names the wallet: one's own, or the one at the other side. */
function pathOfWallet(
  walletId: string | undefined,
  { wallet, operation }: Pick<Command, 'wallet' | 'operation'>,
): string {
  if (walletId === undefined || walletId === wallet.id) return 'data.userId';
  return operation === 'transfer' ? 'data.transaction.toUserId' : 'data.transaction.id';
}
