import { refuse, succeed, type Rejection, type Result } from '../../../core/reasons.ts';
import { appendAudit, type AuditActor } from '../../platform/audit/audit.ts';
import { readClock, type Db, type Tx } from '../../platform/db/db.ts';
import type { Log } from '../../platform/log.ts';
import { findStep, readCode, type Code } from './codes.ts';
import { checkFailures, checkLastStep } from './rules.ts';
import type { Sealer } from './seal.ts';
import * as store from './store.ts';

/** `recoveryCodesLeft` is there if a recovery code was used. */
export type Passed = { readonly recoveryCodesLeft?: number };

export type SecondFactor = {
  readonly sealer: Sealer;
  /**
   * Checks a code of a user who has a second factor and has just shown the right password. The
   * caller holds the user's row, and commits also what was refused: TOTP_REQUIRED (no code, and
   * nothing counted), TOTP_INVALID (counted), THROTTLED (nothing checked), TOTP_UNREADABLE.
   */
  check(
    tx: Tx,
    userId: string,
    text: string,
    attempt: { readonly actor: AuditActor; readonly details?: Readonly<Record<string, string>> },
  ): Promise<Result<Passed>>;
  /** Seals with the current key what a previous one sealed; how many it were. */
  resealAll(db: Db): Promise<number>;
};

type Attempt = Parameters<SecondFactor['check']>[3];

/** Codes of authenticator apps (RFC 6238) and recovery codes. */
export function createSecondFactor({
  sealer,
  log,
}: {
  readonly sealer: Sealer;
  readonly log: Log;
}): SecondFactor {
  return {
    sealer,
    check: async (tx, userId, text, attempt) => {
      if (text.trim() === '') return required;
      const secret = await store.lockSecret(tx, userId);
      if (!secret) throw new Error('a user with a second factor has no secret');
      // Read under the lock: of any number at once each knows of those before it.
      const nowMs = await readClock(tx);
      const failures = checkFailures(secret.failedAtMs, nowMs);
      if (failures.hasFutureTime) {
        log.warn(
          { userId },
          'wrong codes are dated in the future: the clock of the database went back; they do not count',
        );
      }
      if (failures.waitSeconds > 0) return throttled(failures.waitSeconds);
      const code = readCode(text);
      const passed = code && (await tryCode(tx, { sealer, log }, { userId, secret, nowMs }, code));
      if (passed === 'unreadable') return unreadable;
      if (passed) {
        if (passed.recoveryCodesLeft !== undefined) {
          await recordUse(tx, userId, passed.recoveryCodesLeft, attempt);
        }
        return succeed(passed);
      }
      const failedAtMs = [...failures.recentMs, nowMs];
      await store.noteFailures(tx, userId, failedAtMs);
      const details = { ...attempt.details, failures: String(failedAtMs.length) };
      const line = { action: 'totp.failed', target: userId, result: 'TOTP_INVALID', details };
      await appendAudit(tx, attempt.actor, line);
      return invalid;
    },
    resealAll: (db) => resealAll(db, sealer),
  };
}

async function tryCode(
  tx: Tx,
  { sealer, log }: { readonly sealer: Sealer; readonly log: Log },
  held: {
    readonly userId: string;
    readonly secret: store.TotpSecret;
    readonly nowMs: number;
  },
  code: Code,
): Promise<Passed | 'unreadable' | undefined> {
  const { userId, secret, nowMs } = held;
  if (code.kind === 'recovery') {
    if (!(await store.takeRecoveryCode(tx, userId, code.hash))) return undefined;
    return { recoveryCodesLeft: await store.countRecoveryCodes(tx, userId) };
  }
  const plain = sealer.open(userId, secret.sealed);
  if (!plain) {
    log.error(
      { userId },
      'a second factor cannot be read: its signing key is neither the current nor the previous one',
    );
    return 'unreadable';
  }
  const { lastStep, isFuture } = checkLastStep(secret.lastStep, nowMs);
  if (isFuture) {
    log.warn(
      { userId },
      'the last used code is dated in the future: the clock of the database went back; it does not count',
    );
  }
  const step = findStep(plain, code.digits, nowMs, lastStep);
  if (step === undefined) return undefined;
  const isCurrent = secret.sealed.keyId.equals(sealer.keyId);
  await store.noteStep(tx, userId, step, isCurrent ? secret.sealed : sealer.seal(userId, plain));
  return {};
}

async function recordUse(tx: Tx, userId: string, left: number, attempt: Attempt): Promise<void> {
  const details = { ...attempt.details, recoveryCodesLeft: String(left) };
  const line = { action: 'totp.recovery_used', target: userId, result: 'ok', details };
  await appendAudit(tx, attempt.actor, line);
}

async function resealAll(db: Db, sealer: Sealer): Promise<number> {
  let count = 0;
  for (let after: string | undefined = firstUserId; after !== undefined;) {
    const from: string = after;
    after = await db.tx(async (tx) => {
      const rows = await store.lockSealedByOthers(tx, from, sealer.keyId);
      for (const { userId, sealed } of rows) {
        const plain = sealer.open(userId, sealed);
        if (!plain) continue;
        await store.reseal(tx, userId, sealer.seal(userId, plain));
        count += 1;
      }
      return rows.at(-1)?.userId;
    });
  }
  return count;
}

const firstUserId = '00000000-0000-0000-0000-000000000000';

type Refused = { readonly ok: false; readonly rejection: Rejection };

const required: Refused = refuse(
  'TOTP_REQUIRED',
  'this account has a second factor: the code of the authenticator app, or a recovery code, is needed too',
  { field: 'totp_code' },
);

export const invalid: Refused = refuse('TOTP_INVALID', 'the code is wrong, or was used before', {
  field: 'totp_code',
});

const unreadable: Refused = refuse(
  'TOTP_UNREADABLE',
  'the server cannot read the second factor of this account any more: use a recovery code, or have it reset',
);

const throttled = (seconds: number): Refused =>
  refuse('THROTTLED', `too many wrong codes: try again in ${seconds} s`, {
    retryAfterSeconds: String(seconds),
  });
