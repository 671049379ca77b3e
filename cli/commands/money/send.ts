import { canonicalText } from '../../../core/text.ts';
import { resolvesInDoubt } from '../../../core/in-doubt.ts';
import type { Operation } from '../../../core/operations.ts';
import {
  WalletServiceService,
  type CreateTransactionResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { RepeatedResult } from '../../rpc/retry.ts';
import { confirmMoneyCommand, failUserRequired, isStaff } from './confirm.ts';
import { checkConfirmable } from '../shared/confirm.ts';
import type { Context } from '../../context.ts';
import { toCliFailure } from '../../rpc/errors.ts';
import {
  done,
  exitCodes,
  fail,
  succeed,
  type CliFailure,
  type CommandOutcome,
  type Failed,
} from '../../outcome.ts';
import {
  checkMoneyCommand,
  describeMoneyCommand,
  toItem,
  type MoneyCommand,
  type MoneyOptions,
} from './command.ts';
import { toOpenFailure, toUnknownOutcome } from '../../rpc/in-doubt.ts';
import { printObject } from '../../output/print.ts';
import {
  dryRunColumn,
  replayedColumn,
  transactionColumns,
} from '../../output/transaction-columns.ts';
import { nameParent } from './parent.ts';
import type { CanonicalCommand, PendingKey } from '../../files/pending.ts';
import { addKey, claimLeft } from './pending-key.ts';
import { nameActor, resolveUser, type KnownUser } from '../users/actor.ts';
import { toTransactionJson } from '../../../lib/json/transactions.ts';

/** Runs one of the five commands that move money. `argument` is the amount or the parent's id. */
export async function runMoneyCommand(
  context: Context,
  operation: Operation,
  argument: string,
  options: MoneyOptions,
): Promise<CommandOutcome> {
  const checked = checkMoneyCommand(operation, argument, options, context.settings.currency);
  if (!checked.ok) return checked;
  const confirmable = options.dryRun ? done : checkConfirmable(context, 'moving money');
  if (!confirmable.ok) return confirmable;
  const isNamed = options.dryRun === true || options.idempotencyKey !== undefined;
  const notBegun = (failed: Failed): Promise<CommandOutcome> | Failed =>
    isNamed ? failed : openIfAnyPending(context, failed);
  const held = await context.credentials.get();
  if (!held.ok) return notBegun(held);
  if (options.user === undefined && isStaff(held.value.record?.role)) return failUserRequired();
  const user = await resolveUser(context, options.user, !context.isConfirmed);
  if (!user.ok) return notBegun(user);
  const named = await nameParent(context, checked.value, user.value);
  if (!named.ok) return notBegun(named);
  const moneyCommand = named.value;
  const key =
    options.idempotencyKey === undefined ? undefined : canonicalText(options.idempotencyKey);
  if (options.dryRun) return runDryRun(context, moneyCommand, user.value, key);
  const command: CanonicalCommand = {
    ...moneyCommand,
    profile: context.profile,
    server: context.settings.server.text,
    actor: nameActor(held.value),
    user: user.value?.id ?? '',
  };
  if (key === undefined) {
    return runRemembered(context, command, moneyCommand, user.value, options.newKey === true);
  }
  const confirmed = await confirmMoneyCommand(context, moneyCommand, user.value);
  if (!confirmed.ok) return confirmed;
  const left = await context.pendingKeys.claim(command, key);
  const pending = left.ok ? left.value : undefined;
  return sendUnder(context, moneyCommand, user.value, key, pending);
}

/** This run did nothing; whether an earlier one of the same command did cannot be found out. */
async function openIfAnyPending(context: Context, failed: Failed): Promise<CommandOutcome> {
  const isAnyPending = await context.pendingKeys.hasAny();
  return isAnyPending ? { ok: false, failure: toOpenFailure(failed.failure) } : failed;
}

/** The server decides, and changes nothing. */
async function runDryRun(
  context: Context,
  moneyCommand: MoneyCommand,
  user: KnownUser | undefined,
  key: string | undefined,
): Promise<CommandOutcome> {
  const item = toItem(moneyCommand, user?.id ?? '', key ?? context.newKey());
  const { caller } = context;
  const called = await caller.call(
    WalletServiceService.createTransaction,
    { item, dryRun: true },
    'read',
  );
  if (!called.ok) return called;
  return printResponse(context, called.value, true);
}

/** Goes on under the key that an unfinished run of the same command left, or makes one. */
async function runRemembered(
  context: Context,
  command: CanonicalCommand,
  moneyCommand: MoneyCommand,
  user: KnownUser | undefined,
  isFresh: boolean,
): Promise<CommandOutcome> {
  const claimed = isFresh ? succeed(undefined) : await claimLeft(context, command);
  if (!claimed.ok) return claimed;
  const left = claimed.value;
  const confirmed = await confirmMoneyCommand(context, moneyCommand, user);
  if (!confirmed.ok) {
    await left?.keep();
    return left ? { ok: false, failure: toOpenFailure(confirmed.failure) } : confirmed;
  }
  const pending = left ? succeed(left) : await addKey(context, command, isFresh);
  if (!pending.ok) return pending;
  return sendUnder(context, moneyCommand, user, pending.value.key, pending.value);
}

async function sendUnder(
  context: Context,
  moneyCommand: MoneyCommand,
  user: KnownUser | undefined,
  key: string,
  pending: PendingKey | undefined,
): Promise<CommandOutcome> {
  const withdrawWarning = context.interrupts.add(() => {
    void context.reporter.noteAlways(explainUnknown(moneyCommand, key, pending !== undefined));
  });
  const item = toItem(moneyCommand, user?.id ?? '', key);
  const method = WalletServiceService.createTransaction;
  const called = await context.caller.callKeyed(method, { item, dryRun: false });
  withdrawWarning();
  // Nothing was sent at all: no credential, or none that could be refreshed.
  if (!called.ok) {
    if (!pending?.isTakenOver) {
      await pending?.forget();
      return called;
    }
    await pending.keep();
    return { ok: false, failure: toUnknownOutcome(called.failure) };
  }
  const { result, hadUnknownAttempt } = called.value;
  if (result.ok) {
    // A key of our own was made for this very movement.
    if (result.value.replayed && !pending) {
      await context.reporter.warn(
        hadUnknownAttempt
          ? `an attempt without an answer was done, by this command or an earlier one of the key ${key}`
          : `the key ${key} was used before: this is the original transaction`,
      );
    }
    const printed = await printResponse(context, result.value, false);
    if (context.io.stdout.fault?.kind === 'failed') {
      await pending?.keep();
      const why = context.io.stdout.fault.message;
      return failUnprinted(moneyCommand, result.value, key, pending !== undefined, why);
    }
    await pending?.forget();
    return printed;
  }
  const isOpen = isStillOpen(called.value, pending);
  await (isOpen ? pending?.keep() : pending?.forget());
  const refusal = toCliFailure(result.failure, 'write');
  const isOlderOpen =
    (hadUnknownAttempt || pending?.isTakenOver === true) && !resolvesInDoubt(result.failure.reason);
  const failure = isOlderOpen ? toUnknownOutcome(refusal) : refusal;
  const isUnknown =
    failure.exitCode === exitCodes.outcomeUnknown || result.failure.certainty === 'unknown';
  return {
    ok: false,
    failure: isUnknown ? nameKey(failure, moneyCommand, key, pending !== undefined) : failure,
  };
}

/**
 * Whether the key may name a transaction yet, or still come to. After an attempt of unknown outcome
 * even a refusal leaves that open: the attempt may be under way. Using the key again then is right
 * in either case.
 */
function isStillOpen(
  { result, hadUnknownAttempt }: RepeatedResult<unknown>,
  pending: PendingKey | undefined,
): boolean {
  if (hadUnknownAttempt || pending?.isTakenOver) return true;
  return !result.ok && result.failure.certainty === 'unknown';
}

function nameKey(
  failure: CliFailure,
  moneyCommand: MoneyCommand,
  key: string,
  isKept: boolean,
): CliFailure {
  return {
    ...failure,
    message: `${failure.message}; ${explainUnknown(moneyCommand, key, isKept)}`,
    hint: isKept
      ? 'run the same command again'
      : `run the same command again with --idempotency-key ${key}`,
  };
}

/** The money has moved, but the result was not printed: the key stays stored. */
function failUnprinted(
  moneyCommand: MoneyCommand,
  { transaction }: CreateTransactionResponse,
  key: string,
  isKept: boolean,
  why: string,
): Failed {
  const again = isKept
    ? 'run the same command again: it prints this transaction, and changes nothing'
    : `run the same command again with --idempotency-key ${key}: it changes nothing`;
  return fail(
    'OUTPUT_FAILED',
    `the ${describeMoneyCommand(moneyCommand)} was done (transaction ${transaction?.id ?? 'unknown'}, idempotency ` +
      `key ${key}), but the result cannot be written: ${why}`,
    { hint: again },
  );
}

function explainUnknown(moneyCommand: MoneyCommand, key: string, isKept: boolean): string {
  const after = isKept
    ? 'the same command reuses it, so nothing is done twice'
    : 'a command with that key cannot do it twice';
  return `the outcome of the ${describeMoneyCommand(moneyCommand)} is unknown. Its idempotency key is ${key}; ${after}`;
}

async function printResponse(
  context: Context,
  { transaction, replayed }: CreateTransactionResponse,
  isDryRun: boolean,
): Promise<CommandOutcome> {
  if (!transaction) return fail('UNEXPECTED', 'the server answered without a transaction');
  const isTable = context.manner.output === 'table';
  const columns = [
    ...(isDryRun ? [dryRunColumn] : []),
    ...(replayed && isTable ? [replayedColumn] : []),
    ...transactionColumns(context.settings.timezone),
  ];
  await printObject(context, { transaction, replayed, isDryRun }, columns, toTransactionJson);
  return done;
}
