import type { Context } from '../../context.ts';
import { fail, succeed, type Failed, type Outcome } from '../../outcome.ts';
import type { CanonicalCommand, PendingKey } from '../../files/pending.ts';
import { askYes } from '../shared/confirm.ts';

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/**
 * What an unfinished earlier run of the same command left, to be continued. After a day somebody
 * may well mean another payment by the same command (the next month's rent), so that an old key is
 * used only after a question; --yes does not answer it.
 */
export async function claimLeft(
  context: Context,
  command: CanonicalCommand,
): Promise<Outcome<PendingKey | undefined>> {
  const claimed = await context.pendingKeys.claim(command);
  if (!claimed.ok) return suggestKey(claimed);
  const left = claimed.value;
  if (!left) return claimed;
  const ageMs = context.clock.now() - left.createdAtMs;
  const earlier = `an earlier run of this command ${describeTime(left, ageMs)}`;
  const isRecent = Math.abs(ageMs) < dayMs;
  const agreed = isRecent ? succeed(undefined) : await askToContinue(context, left, earlier);
  if (!agreed.ok) {
    await left.keep();
    return agreed;
  }
  await context.reporter.noteAlways(
    `${earlier} ended with an unknown outcome; ` +
      `this run reuses its idempotency key ${left.key}, so nothing is done twice`,
  );
  return succeed(left);
}

/** Remembers a new key. With `isFresh`, what earlier runs of the command left is forgotten. */
export async function addKey(
  context: Context,
  command: CanonicalCommand,
  isFresh: boolean,
): Promise<Outcome<PendingKey>> {
  const added = await context.pendingKeys.add(command, context.newKey());
  if (!added.ok) return suggestKey(added);
  while (isFresh) {
    const claimed = await context.pendingKeys.claim(command);
    if (!claimed.ok || !claimed.value) break;
    const { key, createdAtMs } = claimed.value;
    const when = describeTime({ createdAtMs }, context.clock.now() - createdAtMs);
    await context.reporter.noteAlways(
      `--new-key: the idempotency key ${key} of an earlier run ${when}, whose outcome is unknown, ` +
        'is forgotten',
    );
    await claimed.value.forget();
  }
  return added;
}

async function askToContinue(
  context: Context,
  { key }: PendingKey,
  earlier: string,
): Promise<Outcome<undefined>> {
  const hint =
    `see whether it was done: wallet transactions show --idempotency-key ${key}; to continue it, ` +
    `run the same command with --idempotency-key ${key}; to do it anew, with --new-key`;
  if (!context.canPrompt) {
    const message = `${earlier} ended with an unknown outcome, and that is long ago; nothing was sent`;
    return fail('CONFIRMATION_REQUIRED', message, { field: 'idempotency_key', hint });
  }
  await context.reporter.noteAlways(`${earlier} ended with an unknown outcome (key ${key})`);
  const asked = await askYes(context, 'Continue that one, instead of doing it once more?');
  return asked.ok ? asked : { ok: false, failure: { ...asked.failure, hint } };
}

/** `3 days ago (2026-11-25T08:00:00.000Z)` */
function describeTime({ createdAtMs }: Pick<PendingKey, 'createdAtMs'>, ageMs: number): string {
  if (createdAtMs === 0) return 'at an unknown time';
  return `${describeAge(ageMs)} (${new Date(createdAtMs).toISOString()})`;
}

function describeAge(ageMs: number): string {
  if (ageMs < 0) return 'in the future, by the clock of this machine';
  const [count, unit] =
    ageMs < hourMs
      ? [Math.floor(ageMs / minuteMs), 'minute']
      : ageMs < 2 * dayMs
        ? [Math.floor(ageMs / hourMs), 'hour']
        : [Math.floor(ageMs / dayMs), 'day'];
  return `${count} ${unit}${count === 1 ? '' : 's'} ago`;
}

/** A key that the caller chose needs no folder to be remembered in. */
function suggestKey(failed: Failed): Failed {
  const hint = 'name the transaction yourself: --idempotency-key KEY';
  return { ok: false, failure: { ...failed.failure, hint } };
}
