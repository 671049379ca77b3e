import { stripControls } from '../../../core/text.ts';
import { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { succeed, type Outcome } from '../../outcome.ts';
import { formatCard } from '../../output/card.ts';
import type { ItemRow } from '../batch/rows/chunk.ts';
import { describePayee } from '../holds/columns.ts';
import { readHold } from '../holds/find.ts';
import { askYes } from '../shared/confirm.ts';
import type { Actor } from '../users/actor.ts';
import type { NamedGroup } from './read-group.ts';

/** Asks for leave to run a group, showing where, as whom, and each of its rows. */
export async function confirmGroup(
  context: Context,
  { file, name, id, rows, isDryRun }: NamedGroup,
  self: Actor,
): Promise<Outcome<undefined>> {
  if (isDryRun || context.isConfirmed) return succeed(undefined);
  const described: (readonly [string, string])[] = [];
  for (const row of rows) {
    described.push([`row ${row.row}`, describeRow(row, await findPayee(context, row))]);
  }
  const card = formatCard(
    { io: { ...context.io, stdout: context.io.stderr }, manner: context.manner },
    [
      ['server', context.settings.server.text],
      ['as', `${self.email ?? self.id} (${self.role ?? 'unknown role'})`],
      ['file', file],
      ['group id', name === undefined || name === id ? id : `${name} (${id})`],
      ...described,
    ],
  );
  await context.io.stderr.write(card);
  const count = rows.length === 1 ? 'its row' : `all ${rows.length} rows`;
  return askYes(context, `Run this group, ${count} or none?`);
}

/** Whom a capture pays; undefined where the hold cannot be read. */
async function findPayee(context: Context, { item, userId }: ItemRow): Promise<string | undefined> {
  if (item.operation !== Operation.CAPTURE || item.parentId === undefined) return undefined;
  const hold = await readHold(context, item.parentId, userId);
  return hold.ok ? describePayee(hold.value.contraAccount) : undefined;
}

/** `transfer 10.00 BRL of ana@example.com to bia@example.com: rent`. */
function describeRow({ text, userId, item }: ItemRow, payee: string | undefined): string {
  const sum = text.amount === '' ? 'all that is left' : `${text.amount} ${text.currency}`;
  const parts = [text.operation, sum, 'of user', text.user === '' ? userId : text.user];
  if (item.toUserId !== undefined) parts.push('to', text.to ?? item.toUserId);
  if (item.parentId !== undefined) parts.push(isOfHold(item) ? 'of hold' : 'for', item.parentId);
  if (payee !== undefined) parts.push('for', stripControls(payee));
  if (item.merchant !== undefined) parts.push('at', stripControls(item.merchant));
  if (item.via !== undefined) parts.push('via', item.via);
  const note = item.description === undefined ? '' : `: ${stripControls(item.description)}`;
  return parts.join(' ') + note + describeRest(item);
}

const isOfHold = ({ operation }: ItemRow['item']): boolean =>
  operation === Operation.CAPTURE || operation === Operation.RELEASE;

/** What becomes of the rest of a hold, where a part of it is captured. */
function describeRest({ operation, amountMinor, keepRest }: ItemRow['item']): string {
  if (operation !== Operation.CAPTURE || amountMinor === undefined) return '';
  return keepRest === true ? '; the rest stays reserved' : '; the rest of the hold is released';
}
