import type { Context } from '../../context.ts';
import { succeed, type Outcome } from '../../outcome.ts';
import { readExpiry, type ExpiryOptions } from '../shared/lifetime.ts';

const defaultLifetime = '90d';

/** When a key is to end: so long from now, or at a time; in 90 days by default. */
export function readKeyExpiry(
  options: ExpiryOptions,
  context: Pick<Context, 'clock' | 'settings'>,
): Outcome<Date> {
  const isGiven = options.expiresIn !== undefined || options.expiresAt !== undefined;
  const read = readExpiry(isGiven ? options : { expiresIn: defaultLifetime }, context);
  if (!read.ok) return read;
  const { expiresAt, expiresInSeconds = 0 } = read.value;
  return succeed(expiresAt ?? new Date(context.clock.now() + expiresInSeconds * 1_000));
}
