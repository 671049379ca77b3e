import { quoteForShell } from '../../../core/shell-word.ts';
import type { CliFailure } from '../../outcome.ts';
import type { ItemRow } from '../batch/rows/chunk.ts';
import { keyOfRow, type NamedGroup } from './read-group.ts';

/** The refusal of the row at a place, from 0, with a hint that names what the row names. */
export function fitGroupHint(failure: CliFailure, group: NamedGroup, place: number): CliFailure {
  const row = group.rows[place];
  if (!row || failure.hint === undefined) return failure;
  if (failure.reason === 'IDEMPOTENCY_KEY_REUSED') {
    return { ...failure, hint: fitReused(group, row, place) };
  }
  const hint = failure.hint
    .replace(/ ID$/, row.item.parentId === undefined ? ' ID' : ` ${row.item.parentId}`)
    .replace(/^capture /, `${row.text.operation} `)
    .replace(walletCommand, (command) => command + describeWallet(group, row, failure.reason));
  return { ...failure, hint };
}

const walletCommand =
  /\bwallet (?:balance|limits show|holds (?:list|show)|transactions (?:list|show))\b/g;

function fitReused(group: NamedGroup, row: ItemRow, place: number): string {
  const { idempotencyKey } = row.item;
  const isOwn = idempotencyKey !== keyOfRow(group.id, place);
  const other = isOwn ? 'give the row another key' : 'choose another --group-id';
  const show = `wallet transactions show${describeWallet(group, row)}`;
  return `${other}, or see what has it: ${show} --idempotency-key ${quoteForShell(idempotencyKey)}`;
}

/** The options that name the wallet which a refusal of a row is about. */
function describeWallet(
  group: NamedGroup,
  { text, item }: ItemRow,
  reason?: CliFailure['reason'],
): string {
  // Only who is paid can have too much.
  const payee = reason === 'BALANCE_LIMIT_EXCEEDED' ? (text.to ?? '') : '';
  const user = payee || text.user;
  const currency = item.currency === group.currency ? '' : item.currency;
  return [
    user === '' ? '' : ` --user ${quoteForShell(user)}`,
    currency === '' ? '' : ` --currency ${currency}`,
  ].join('');
}
