import { describeAddress } from '../../../core/addresses.ts';
import { userOfAccount } from '../../../core/contra-account.ts';
import { stripControls } from '../../../core/text.ts';
import type { Hold, Transaction } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { askYes } from '../shared/confirm.ts';
import type { Context } from '../../context.ts';
import { failUsage, succeed, type Outcome } from '../../outcome.ts';
import type { MoneyCommand } from './command.ts';
import type { Parent } from './parent.ts';
import { describePayee } from '../holds/columns.ts';
import { describeExpiry } from '../shared/lifetime.ts';
import { formatLocalTime } from '../../output/time.ts';
import { nameHoldState } from '../../../lib/json/holds.ts';
import { formatCard } from '../../output/card.ts';
import { identifyActor, type KnownUser } from '../users/actor.ts';
import { formatMoney } from '../../../lib/json/money.ts';
import { nameOperation } from '../../../lib/json/names.ts';

/** Whom a movement of money concerns. */
export type Parties = {
  /** Whose wallet it is; undefined for the caller's own. */
  readonly user: KnownUser | undefined;
  /** Who is paid by a transfer, or by the captures of a hold. */
  readonly recipient?: KnownUser | undefined;
  readonly parent?: Parent | undefined;
};

type Field = readonly [label: string, value: string | undefined];

/** Asks for leave to move money, showing where, as whom, whose, to whom and how much. */
export async function confirmMoneyCommand(
  context: Context,
  moneyCommand: MoneyCommand,
  { user, recipient, parent }: Parties,
): Promise<Outcome<undefined>> {
  if (context.isConfirmed) return succeed(undefined);
  const identified = await identifyActor(context);
  if (!identified.ok) return identified;
  const caller = identified.value;
  const owner = user ?? caller;
  if (!user && isStaff(caller?.role)) return failUserRequired();
  const { operation } = moneyCommand;
  const sum = describeSum(moneyCommand, parent);
  const card = formatCard(
    { io: { ...context.io, stdout: context.io.stderr }, manner: context.manner },
    [
      ['server', context.settings.server.text],
      ['role', caller?.role],
      [operation === 'transfer' ? 'from' : 'user', owner && describeUser(owner)],
      ['to', recipient && describeUser(recipient)],
      ...describeParent(context, moneyCommand, parent),
      [operation, sum],
      ...describeRest(moneyCommand, parent?.hold),
      ...describeEnd(context, moneyCommand),
      ['via', moneyCommand.via],
      ['merchant', moneyCommand.merchant],
      ['description', moneyCommand.description],
      ['reference', moneyCommand.reference],
      ...Object.entries(moneyCommand.metadata).map(([key, value]): Field => [
        'meta',
        `${key}=${value}`,
      ]),
      ['force', describeForce(moneyCommand)],
    ],
  );
  await context.io.stderr.write(card);
  return askYes(context, toQuestion(context, moneyCommand, sum, { recipient, parent }));
}

function toQuestion(
  context: Context,
  moneyCommand: MoneyCommand,
  sum: string,
  { recipient, parent }: Pick<Parties, 'recipient' | 'parent'>,
): string {
  const { operation, merchant, via } = moneyCommand;
  const payee = recipient?.email ?? recipient?.id;
  if (operation === 'hold') {
    const account = via === undefined ? 'any merchant' : `via ${via}`;
    const end = describeExpiry(moneyCommand, context);
    const until = end === undefined ? '' : ` until ${end}`;
    return `Hold ${sum} for ${payee ?? merchant ?? account}${until}?`;
  }
  if (operation === 'capture' && parent?.hold) {
    return `Capture ${sum} for ${describePayee(parent.hold.contraAccount)}?`;
  }
  if (moneyCommand.parentId !== undefined && operation !== 'release') {
    return `Make this ${operation} of ${sum}?`;
  }
  return `${capitalise(operation)} ${sum}${payee === undefined ? '' : ` to ${payee}`}?`;
}

/** Staff never mean themselves: they have no wallet. */
export function isStaff(role: string | undefined): boolean {
  return role === 'operator' || role === 'admin';
}

export function failUserRequired(): Outcome<never> {
  const { failure } = failUsage(
    'user',
    'staff must name the user',
    'add --user EMAIL or --user ID',
  );
  return { ok: false, failure: { ...failure, reason: 'USER_REQUIRED' } };
}

/** The amount; for an undo without one, all that is left of its parent. */
function describeSum({ amountMinor, currency }: MoneyCommand, parent: Parent | undefined): string {
  if (amountMinor !== undefined) return sumOf(amountMinor, currency);
  if (!parent) return '';
  const { hold, transaction } = parent;
  return hold
    ? sumOf(hold.leftMinor, hold.currency)
    : sumOf(leftOf(transaction), transaction.currency);
}

const sumOf = (minor: bigint, currency: string): string =>
  `${formatMoney(minor, currency)} ${currency}`;

const leftOf = ({ amountMinor, undoneMinor = 0n }: Transaction): bigint =>
  amountMinor - undoneMinor;

function describeParent(
  context: Context,
  moneyCommand: MoneyCommand,
  parent: Parent | undefined,
): readonly Field[] {
  if (!parent) return [];
  const { hold, transaction } = parent;
  return hold ? describeHold(context, hold) : describeUndone(moneyCommand, transaction);
}

function describeHold({ settings }: Context, hold: Hold): readonly Field[] {
  const { id, amountMinor, leftMinor, currency, contraAccount, expiresAt } = hold;
  return [
    ['hold', `${sumOf(amountMinor, currency)}, ${nameHoldState(hold.state)}, ${id}`],
    ['for', describePayee(contraAccount)],
    ['left', `${formatMoney(leftMinor, currency)} of ${sumOf(amountMinor, currency)}`],
    ['ends', expiresAt && formatLocalTime(expiresAt, settings.timezone)],
  ];
}

/** What becomes of the rest of a hold, where a part of it is captured. */
function describeRest(
  { operation, amountMinor, keepsRest }: MoneyCommand,
  hold: Hold | undefined,
): readonly Field[] {
  if (operation !== 'capture' || !hold || amountMinor === undefined) return [];
  const restMinor = hold.leftMinor - amountMinor;
  if (restMinor <= 0n) return [];
  const end = keepsRest ? 'stays reserved' : 'is released';
  return [['rest', `${sumOf(restMinor, hold.currency)} ${end}`]];
}

/** When a new hold ends, and who it is for where no payee is named. */
function describeEnd(context: Context, moneyCommand: MoneyCommand): readonly Field[] {
  const { operation, merchant, to, via } = moneyCommand;
  if (operation !== 'hold') return [];
  const isForAny = merchant === undefined && to === undefined && via === undefined;
  return [
    ['for', isForAny ? 'any merchant' : undefined],
    ['ends', describeExpiry(moneyCommand, context) ?? "as the server's setting says"],
  ];
}

function describeUndone(
  { operation, parentId = '' }: MoneyCommand,
  parent: Transaction,
): readonly Field[] {
  const { amountMinor, currency, description, contraAccount } = parent;
  const whole = sumOf(amountMinor, currency);
  const note = description === undefined ? '' : ` (${stripControls(description)})`;
  const left = `${formatMoney(leftOf(parent), currency)} of ${whole}`;
  return [
    [`${operation} of`, `${nameOperation(parent.operation)} ${whole}${note}, ${parentId}`],
    ['other user', parent.counterpartyUserId ?? userOfAccount(contraAccount)],
    ['left to undo', left],
  ];
}

/** What the command may do beyond what is allowed without `--force`. */
function describeForce({ operation, isForced }: MoneyCommand): string | undefined {
  if (!isForced) return undefined;
  return operation === 'reversal'
    ? 'a wallet may fall below zero'
    : 'spending limits may be passed, never what is available';
}

function describeUser({ email, id }: KnownUser): string {
  return email === undefined ? id : `${describeAddress(email)} (${id})`;
}

function capitalise(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
