import { canonicalText } from '../../../core/text.ts';
import { resolvesInDoubt } from '../../../core/in-doubt.ts';
import { isUuid } from '../../../core/ids.ts';
import { ofHold, type Operation } from '../../../core/operations.ts';
import {
  WalletServiceService,
  type CreateTransactionResponse,
} from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { RepeatedResult } from '../../rpc/retry.ts';
import { confirmMoneyCommand, failUserRequired, isStaff, type Parties } from './confirm.ts';
import { checkConfirmable } from '../shared/confirm.ts';
import type { Context } from '../../context.ts';
import { toCliFailure } from '../../rpc/errors.ts';
import {
  done,
  exitCodes,
  fail,
  succeed,
  type CommandOutcome,
  type Failed,
  type Outcome,
} from '../../outcome.ts';
import { checkMoneyCommand, toItem, type MoneyCommand } from './command.ts';
import type { MoneyOptions } from './extras.ts';
import { toOpenFailure, toUnknownOutcome } from '../../rpc/in-doubt.ts';
import { printObject } from '../../output/print.ts';
import {
  dryRunColumn,
  replayedColumn,
  transactionColumns,
} from '../../output/transaction-columns.ts';
import { nameParent } from './parent.ts';
import { explainUnknown, failUnprinted, fitHint, nameKey } from './failures.ts';
import type { CanonicalCommand, PendingKey } from '../../files/pending.ts';
import { addKey, claimLeft } from './pending-key.ts';
import { identifyActor, nameActor, resolveUser, type KnownUser } from '../users/actor.ts';
import { resolveRecipient } from '../users/recipient.ts';
import { toTransactionJson } from '../../../lib/json/transactions.ts';
import { findHoldRefusal } from '../holds/closed.ts';
import { readHold } from '../holds/find.ts';
import { madeHoldColumns, toMadeHoldJson } from './made-hold.ts';

/** Runs one of the commands that move money. `argument` is the amount or the parent's id. */
export async function runMoneyCommand(
  context: Context,
  operation: Operation,
  argument: string,
  options: MoneyOptions,
): Promise<CommandOutcome> {
  const checked = checkMoneyCommand(context, operation, argument, options);
  if (!checked.ok) return checked;
  const confirmable = options.dryRun ? done : checkConfirmable(context, 'moving money');
  if (!confirmable.ok) return confirmable;
  const isNamed = options.dryRun === true || options.idempotencyKey !== undefined;
  const notBegun = (failed: Failed): Promise<CommandOutcome> | Failed =>
    isNamed ? failed : openIfAnyPending(context, failed);
  const held = await context.credentials.get();
  if (!held.ok) return notBegun(held);
  const isShown = !context.isConfirmed && options.dryRun !== true;
  const owner = await findOwner(context, checked.value, options, held.value.record?.role);
  if (!owner.ok) return notBegun(owner);
  const named = await nameOthers(context, checked.value, owner.value, isShown);
  if (!named.ok) return notBegun(named);
  const { moneyCommand, parties } = named.value;
  const { user } = parties;
  const key =
    options.idempotencyKey === undefined ? undefined : canonicalText(options.idempotencyKey);
  if (options.dryRun) return runDryRun(context, moneyCommand, user, key);
  const command: CanonicalCommand = {
    ...moneyCommand,
    profile: context.profile,
    server: context.settings.server.text,
    actor: nameActor(held.value),
    user: user?.id ?? '',
  };
  if (key === undefined) {
    return runRemembered(context, command, moneyCommand, parties, options.newKey === true);
  }
  const confirmed = await confirmMoneyCommand(context, moneyCommand, parties);
  if (!confirmed.ok) return confirmed;
  const left = await context.pendingKeys.claim(command, key);
  const pending = left.ok ? left.value : undefined;
  return sendUnder(context, moneyCommand, user, key, pending);
}

/** Whose wallet it is; undefined for the caller's own. To staff a hold's whole id says it. */
async function findOwner(
  context: Context,
  { operation, parentId = '' }: MoneyCommand,
  { user }: MoneyOptions,
  knownRole: string | undefined,
): Promise<Outcome<KnownUser | undefined>> {
  const needsEmail = !context.isConfirmed;
  if (user !== undefined) return resolveUser(context, user, needsEmail);
  const namesHold = ofHold(operation) && isUuid(parentId);
  const role = knownRole ?? (namesHold ? await findRole(context) : undefined);
  if (!isStaff(role)) return succeed(undefined);
  if (!namesHold) return failUserRequired();
  const hold = await readHold(context, parentId, '');
  return hold.ok ? resolveUser(context, hold.value.userId, needsEmail) : hold;
}

/** Of a token from outside; where it cannot be found out, the server decides. */
async function findRole(context: Context): Promise<string | undefined> {
  const caller = await identifyActor(context);
  return caller.ok ? caller.value?.role : undefined;
}

/** The command with the ids of who is paid and of what is undone, and what is known of them. */
async function nameOthers(
  context: Context,
  typed: MoneyCommand,
  user: KnownUser | undefined,
  isShown: boolean,
): Promise<Outcome<{ readonly moneyCommand: MoneyCommand; readonly parties: Parties }>> {
  if (typed.to !== undefined) {
    const recipient = await resolveRecipient(context, typed.to, isShown);
    if (!recipient.ok) return recipient;
    const moneyCommand = { ...typed, to: recipient.value.id };
    return succeed({ moneyCommand, parties: { user, recipient: recipient.value } });
  }
  const named = await nameParent(context, typed, user, isShown);
  if (!named.ok) return named;
  const { moneyCommand, parent } = named.value;
  return succeed({ moneyCommand, parties: { user, parent } });
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
  if (!called.ok) return { ok: false, failure: fitHint(called.failure, moneyCommand) };
  return printResponse(context, called.value, true);
}

/** Goes on under the key that an unfinished run of the same command left, or makes one. */
async function runRemembered(
  context: Context,
  command: CanonicalCommand,
  moneyCommand: MoneyCommand,
  parties: Parties,
  isFresh: boolean,
): Promise<CommandOutcome> {
  const claimed = isFresh ? succeed(undefined) : await claimLeft(context, command);
  if (!claimed.ok) return claimed;
  const left = claimed.value;
  const hold = left || context.isConfirmed ? undefined : parties.parent?.hold;
  const refusal = hold && findHoldRefusal(hold, moneyCommand);
  if (refusal) return { ok: false, failure: fitHint(refusal, moneyCommand) };
  const confirmed = await confirmMoneyCommand(context, moneyCommand, parties);
  if (!confirmed.ok) {
    await left?.keep();
    return left ? { ok: false, failure: toOpenFailure(confirmed.failure) } : confirmed;
  }
  const pending = left ? succeed(left) : await addKey(context, command, isFresh);
  if (!pending.ok) return pending;
  return sendUnder(context, moneyCommand, parties.user, pending.value.key, pending.value);
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
  const refusal = fitHint(toCliFailure(result.failure, 'write'), moneyCommand);
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

async function printResponse(
  context: Context,
  { transaction, replayed, hold }: CreateTransactionResponse,
  isDryRun: boolean,
): Promise<CommandOutcome> {
  if (!transaction) return fail('UNEXPECTED', 'the server answered without a transaction');
  const isTable = context.manner.output === 'table';
  const { timezone } = context.settings;
  const columns = [
    ...(isDryRun ? [dryRunColumn] : []),
    ...(replayed && isTable ? [replayedColumn] : []),
    ...transactionColumns(timezone),
    ...(hold ? madeHoldColumns(timezone) : []),
  ];
  const row = { transaction, replayed, isDryRun, hold };
  await printObject(context, row, columns, hold ? toMadeHoldJson : toTransactionJson);
  return done;
}
