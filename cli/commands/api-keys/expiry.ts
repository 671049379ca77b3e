import type { Context } from '../../context.ts';
import { failUsage, succeed, type Outcome } from '../../outcome.ts';
import { parseTime } from '../shared/times.ts';

export type ExpiryOptions = { readonly expiresIn?: string; readonly expiresAt?: string };

const dayMs = 86_400_000;
const defaultDays = 90;

/** When something is to end: so long from now, or at a time; in 90 days by default. */
export function readExpiry(
  options: ExpiryOptions,
  context: Pick<Context, 'clock' | 'settings'>,
): Outcome<Date> {
  const nowMs = context.clock.now();
  const { expiresIn, expiresAt } = options;
  if (expiresIn !== undefined && expiresAt !== undefined) {
    return failUsage('expires_at', '--expires-in and --expires-at exclude each other');
  }
  if (expiresAt === undefined) {
    const lifetimeMs = readLifetime(expiresIn ?? `${defaultDays}d`);
    return lifetimeMs === undefined
      ? failUsage('expires_in', `${JSON.stringify(expiresIn)} is not a time like 90d, 12h or 2w`)
      : succeed(new Date(nowMs + lifetimeMs));
  }
  const parsed = parseTime('expires_at', expiresAt, context, 'next');
  if (!parsed.ok) return parsed;
  return parsed.value.endMs > nowMs
    ? succeed(new Date(parsed.value.endMs))
    : failUsage('expires_at', '--expires-at must be in the future');
}

/** `12h`, `90d` or `2w` in milliseconds, above 0. How long is too long is for the server to say. */
function readLifetime(text: string): number | undefined {
  const match = /^([1-9][0-9]{0,4})([hdw])$/.exec(text);
  if (!match) return undefined;
  const unitMs = { h: dayMs / 24, d: dayMs, w: 7 * dayMs }[match[2] ?? 'd'] ?? dayMs;
  return Number(match[1]) * unitMs;
}
