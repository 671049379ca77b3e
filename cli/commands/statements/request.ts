import type { Command } from 'commander';

import { findExponent } from '../../../core/currencies.ts';
import type { Operation as OperationName } from '../../../core/operations.ts';
import type { Operation } from '../../../protos/gen/digitalwallet/wallet/v1/wallet.ts';
import type { Context } from '../../context.ts';
import { failUnknown, failUsage, succeed, type Outcome } from '../../outcome.ts';
import { failUnknownCurrency } from '../money/command.ts';
import { parseTime } from '../shared/times.ts';
import { addWalletOptions, zoneOption } from '../shared/options.ts';
import { resolveUser } from '../users/actor.ts';
import { operationNumbers } from '../../../lib/json/names.ts';

/** Whose statement, and of when: --user, --currency, --from, --to and --timezone. */
export function addRangeOptions(command: Command): Command {
  return addWalletOptions(command)
    .option('--from <TIME>', 'a date or a time (default: 15 days before --to)')
    .option('--to <TIME>', 'a date (included) or a time (not included) (default: now)')
    .option(...zoneOption);
}

/** Whose statement, and of when, as it was typed. */
export type RangeOptions = {
  readonly user?: string;
  readonly currency?: string;
  readonly from?: string;
  readonly to?: string;
};

/** The same, as the server is asked. */
export type StatementRange = {
  readonly userId: string;
  readonly currency: string;
  readonly from: Date | undefined;
  readonly to: Date | undefined;
  readonly timezone: string;
};

/** Reads a range; what is left out is the server's to fill in. */
export async function readRange(
  context: Context,
  options: RangeOptions,
): Promise<Outcome<StatementRange>> {
  const { currency: chosen, timezone } = context.settings;
  const currency = options.currency ?? chosen;
  if (findExponent(currency) === undefined) return failUnknownCurrency(currency);
  const from = parseOptionalTime('from', options.from, timezone, 'dayStart');
  if (!from.ok) return from;
  const to = parseOptionalTime('to', options.to, timezone, 'dayEnd');
  if (!to.ok) return to;
  if (from.value && from.value.getTime() > context.clock.now()) {
    return failUsage('from', '--from must not be in the future');
  }
  if (from.value && to.value && from.value >= to.value) {
    return failUsage('from', '--from must be before --to');
  }
  const user = await resolveUser(context, options.user, false);
  if (!user.ok) return user;
  return succeed({
    userId: user.value?.id ?? '',
    currency,
    from: from.value,
    to: to.value,
    timezone,
  });
}

function parseOptionalTime(
  field: string,
  text: string | undefined,
  timezone: string,
  edge: 'dayStart' | 'dayEnd',
): Outcome<Date | undefined> {
  return text === undefined ? succeed(undefined) : parseTime(field, text, timezone, edge);
}

/** The operations that a statement shall be of, each once; none stands for all. */
export function readOperations(texts: readonly string[] = []): Outcome<Operation[]> {
  const known = Object.keys(operationNumbers) as OperationName[];
  const numbers = new Set<Operation>();
  for (const text of texts) {
    const name = known.find((candidate) => candidate === text);
    if (!name) return failUnknown('operation', text, known);
    numbers.add(operationNumbers[name]);
  }
  return succeed([...numbers]);
}
