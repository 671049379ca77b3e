import type { Operation } from '../../../core/operations.ts';
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
import { toCommand } from '../requests/request.ts';
import type { WalletRefs } from '../requests/wallet-refs.ts';
import { findCurrencyOf } from '../store/reads.ts';
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
  /** True while the outbox has no room: then messages wait. */
  readonly isOutboxFull: () => boolean;
};

const done: Handling = { kind: 'done' };
const held: Handling = { kind: 'held' };
/** A full commit for each of two lanes. */
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
  return read.map((item) => ('kind' in item ? item : toHandling(results[next++])));
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
  const currencies = new Map<string, string>();
  for (const request of requests) {
    if ('kind' in request) read.push(request);
    else if (unknown.has(request.userId)) read.push(poison('USER_NOT_FOUND', 'data.userId'));
    else if (!options.allowedOperations.has(request.operation)) {
      read.push(poison('OPERATION_NOT_ALLOWED', 'data.transaction.operation'));
    } else {
      // Awaited only where the database has to be asked: that is seldom.
      const reading = readCommand(options, request, currencies);
      const command = reading instanceof Promise ? await reading : reading;
      if (!('kind' in command)) currencies.set(command.transactionId, command.wallet.currency);
      read.push(command);
    }
  }
  return read;
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
  const stopped = new Map<string, Rejection>();
  const waiting = {
    deadlineMs: performance.now() + waitMs,
    busyAfterMs,
    isCancelled: ({ wallet }: Command) => stopped.has(wallet.id),
    onGivenUp: (rejection: Rejection, { wallet }: Command) => {
      if (!stopped.has(wallet.id)) stopped.set(wallet.id, rejection);
    },
  };
  const { completed } = await groupCommit.submitMany(commands, waiting);
  const results = await completed;
  return results.map((result, i) => {
    const walletId = commands[i]?.wallet.id ?? '';
    const rejection = result.ok ? undefined : stopped.get(walletId);
    const isHeldBack = !result.ok && result.rejection.reason === 'CANCELLED';
    return isHeldBack && rejection ? { ok: false, rejection } : result;
  });
}

async function findUnknownUsers(
  { users }: EmittedOptions,
  requests: readonly (EmittedRequest | Poison)[],
): Promise<ReadonlySet<string>> {
  const ids = requests.flatMap((request) => ('kind' in request ? [] : [request.userId]));
  try {
    return await users.findUnknown([...new Set(ids)]);
  } catch (cause) {
    const message = 'the auth service is unavailable: nothing was done, try again';
    throw createTransientRejection({ reason: 'AUTH_UNAVAILABLE', message, metadata: {} }, cause);
  }
}

function readCommand(
  { db, defaultCurrency, walletRefs }: EmittedOptions,
  request: EmittedRequest,
  currencies: ReadonlyMap<string, string>,
): Command | Poison | Promise<Command | Poison> {
  const { parentId, userId } = request;
  const read = (currency = defaultCurrency): Command | Poison => {
    const command = toCommand({ ...request, currency }, walletRefs);
    return command.ok ? command.value : toPoison(command.rejection);
  };
  const known = request.currency ?? (parentId === undefined ? undefined : currencies.get(parentId));
  if (known !== undefined || parentId === undefined) return read(known);
  return db.read((tx) => findCurrencyOf(tx, parentId, userId)).then(read);
}

/** The fields of the envelope, by their names in the domain. */
const fieldPaths: Readonly<Record<string, string>> = {
  idempotency_key: 'messageId',
  parent_id: 'data.transaction.id',
  amount: 'data.transaction.amount',
  currency: 'data.transaction.currency',
  merchant: 'data.transaction.merchant',
  description: 'data.transaction.description',
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
export function toHandling(result: Result<AuditedDecision> | undefined): Handling {
  if (!result) throw new Error('a message got no answer');
  if (result.ok) return done;
  const { reason, metadata } = result.rejection;
  if (metadata['cause'] === 'content') return poison('INTERNAL', 'body');
  if (ofOneWallet.has(reason)) return held;
  if (forOperators.has(reason)) return poison(reason, 'data.userId');
  if (!finalCodes.has(reasonCodes[reason])) throw createTransientRejection(result.rejection);
  return done;
}
