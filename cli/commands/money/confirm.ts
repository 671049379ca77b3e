import { describeAddress } from '../../../core/addresses.ts';
import { stripControls } from '../../../core/text.ts';
import { WalletServiceService } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import { askYes } from '../shared/confirm.ts';
import type { Context } from '../../context.ts';
import { fail, failUsage, succeed, type Outcome } from '../../outcome.ts';
import type { MoneyCommand } from './command.ts';
import { formatCard } from '../../output/card.ts';
import { identifyActor, type KnownUser } from '../users/actor.ts';
import { formatMoney } from '../../../lib/json/money.ts';
import { nameOperation } from '../../../lib/json/names.ts';

/** Asks for leave to move money, showing where, as whom, whose and how much. */
export async function confirmMoneyCommand(
  context: Context,
  moneyCommand: MoneyCommand,
  user: KnownUser | undefined,
): Promise<Outcome<undefined>> {
  if (context.isConfirmed) return succeed(undefined);
  const identified = await identifyActor(context);
  if (!identified.ok) return identified;
  const caller = identified.value;
  const owner = user ?? caller;
  if (!user && isStaff(caller?.role)) return failUserRequired();
  const sum = await findSum(context, moneyCommand, user);
  if (!sum.ok) return sum;
  const card = formatCard(
    { io: { ...context.io, stdout: context.io.stderr }, manner: context.manner },
    [
      ['server', context.settings.server.text],
      ['role', caller?.role],
      ['user', owner && describeUser(owner)],
      [
        moneyCommand.parentId === undefined ? moneyCommand.operation : sum.value.label,
        sum.value.text,
      ],
      ['merchant', moneyCommand.merchant],
      ['description', moneyCommand.description],
    ],
  );
  await context.io.stderr.write(card);
  const question =
    moneyCommand.parentId === undefined
      ? `${capitalise(moneyCommand.operation)} ${sum.value.text}?`
      : `Make this ${moneyCommand.operation}?`;
  return askYes(context, question);
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

/** The amount; for an undo the parent's, which only the server knows. */
async function findSum(
  context: Context,
  moneyCommand: MoneyCommand,
  user: KnownUser | undefined,
): Promise<Outcome<{ label: string; text: string }>> {
  if (moneyCommand.amountMinor !== undefined) {
    const text = `${formatMoney(moneyCommand.amountMinor, moneyCommand.currency)} ${moneyCommand.currency}`;
    return succeed({ label: moneyCommand.operation, text });
  }
  const transactionId = moneyCommand.parentId ?? '';
  const got = await context.caller.call(
    WalletServiceService.getTransaction,
    {
      by: { $case: 'transactionId', value: transactionId },
      userId: user?.id ?? '',
      currency: moneyCommand.currency,
    },
    'read',
  );
  if (!got.ok) return got;
  const parent = got.value.transaction;
  if (!parent) return fail('UNEXPECTED', 'the server answered without a transaction');
  const { amountMinor, currency, operation, description } = parent;
  const what = `${nameOperation(operation)} ${formatMoney(amountMinor, currency)} ${currency}`;
  const note = description === undefined ? '' : ` (${stripControls(description)})`;
  return succeed({
    label: `${moneyCommand.operation} of`,
    text: `${what}${note}, ${transactionId}`,
  });
}

function describeUser({ email, id }: KnownUser): string {
  return email === undefined ? id : `${describeAddress(email)} (${id})`;
}

function capitalise(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
