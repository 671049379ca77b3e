import { failUsage, succeed, type Outcome } from '../../outcome.ts';
import { formatLocalTime } from '../../output/time.ts';
import type { Context } from '../../context.ts';
import { parseTime } from './times.ts';

const unitsMs: Readonly<Record<string, number>> = {
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 7 * 86_400_000,
};

/** How long something lasts, for error texts. */
export const lifetimeForms = 'write minutes (30m), hours (12h), days (7d) or weeks (2w)';

/**
 * `30m`, `12h`, `90d` or `2w` in milliseconds, above 0; undefined for anything else. How long is too
 * long is for the server to say.
 */
export function readLifetime(text: string): number | undefined {
  const match = /^([1-9][0-9]{0,4})([mhdw])$/.exec(text);
  const unitMs = unitsMs[match?.[2] ?? ''];
  return unitMs === undefined ? undefined : Number(match?.[1]) * unitMs;
}

/** When something ends: so long after it began, at a time, or (neither) as the server has it. */
export type Expiry = {
  readonly expiresInSeconds: number | undefined;
  readonly expiresAt: Date | undefined;
};

export type ExpiryOptions = { readonly expiresIn?: string; readonly expiresAt?: string };

/** Reads --expires-in and --expires-at, which exclude each other. */
export function readExpiry(
  { expiresIn, expiresAt }: ExpiryOptions,
  context: Pick<Context, 'clock' | 'settings'>,
): Outcome<Expiry> {
  if (expiresIn !== undefined && expiresAt !== undefined) {
    return failUsage('expires_at', '--expires-in and --expires-at exclude each other');
  }
  if (expiresIn !== undefined) {
    const lifetimeMs = readLifetime(expiresIn);
    if (lifetimeMs === undefined) {
      const message = `${JSON.stringify(expiresIn)} is not a length of time: ${lifetimeForms}`;
      return failUsage('expires_in', message);
    }
    return succeed({ expiresInSeconds: lifetimeMs / 1_000, expiresAt: undefined });
  }
  if (expiresAt === undefined) {
    return succeed({ expiresInSeconds: undefined, expiresAt: undefined });
  }
  const parsed = parseTime('expires_at', expiresAt, context, 'next');
  if (!parsed.ok) return parsed;
  const { endMs } = parsed.value;
  return endMs > context.clock.now()
    ? succeed({ expiresInSeconds: undefined, expiresAt: new Date(endMs) })
    : failUsage('expires_at', '--expires-at must be in the future');
}

/** `2026-11-29 12:00:00`, or the same as an estimate by this machine's clock. */
export function describeExpiry(
  { expiresInSeconds, expiresAt }: Expiry,
  { clock, settings: { timezone } }: Pick<Context, 'clock' | 'settings'>,
): string | undefined {
  if (expiresAt !== undefined) return formatLocalTime(expiresAt, timezone);
  if (expiresInSeconds === undefined) return undefined;
  const endMs = clock.now() + expiresInSeconds * 1_000;
  return `about ${formatLocalTime(new Date(endMs), timezone)}`;
}
