import type { Result } from '../../core/reasons.ts';
import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { createAuditTrail } from '../platform/audit/audit.ts';
import { createClockAlarm } from '../platform/clock-alarm.ts';
import type { Db } from '../platform/db/db.ts';
import type { HostedService } from '../platform/grpc/server.ts';
import type { Log } from '../platform/log.ts';
import type { Mailer } from '../platform/mail/mail.ts';
import type { ProgressWatch } from '../platform/progress/watch.ts';
import { createPruner, type Pruning } from '../platform/db/pruner.ts';
import type { Revocations } from '../platform/access/revocations.ts';
import type { VerifiedToken } from '../platform/access/tokens.ts';
import { createDeviceTokens } from './sessions/device-tokens.ts';
import { createHandlers, maxResolved } from './handlers.ts';
import { createPasswords } from './users/passwords.ts';
import { policies } from './policy.ts';
import { createSigningKeys } from './sessions/signing-keys.ts';
import { pruneExpiredKeys, pruneRevokedKeys } from './api-keys/store.ts';
import { pruneRevocations } from './revocations/store.ts';
import { pruneSessions } from './sessions/store.ts';
import { countAdmins } from './store.ts';
import { createCodeMaker, pruneCodes } from './mails/codes.ts';
import { createMailQueue } from './mails/queue.ts';
import { pruneMails } from './mails/store.ts';
import { composeNotices, createNotices } from './notices/notices.ts';
import { composeChangeMail, composeResetMail } from './recovery/mail.ts';
import { pruneEmailChanges } from './recovery/store.ts';
import { composeSignUpMail } from './sign-up/mail.ts';
import { pruneSignUps } from './sign-up/store.ts';
import { pruneAttempts } from './throttling/store.ts';
import { createThrottle } from './throttling/throttle.ts';
import { shareByUser } from './throttling/user-calls.ts';
import { createSealer } from './totp/seal.ts';
import { createSecondFactor, type SecondFactor } from './totp/second-factor.ts';

export { createUserOnHost, resetPasswordOnHost } from './host.ts';
export { resetTotpOnHost } from './totp/reset.ts';
export { createSigningKeys, generateSigningKey } from './sessions/signing-keys.ts';

const maxCredentialLength = 256 * 1024;

export type AuthOptions = {
  readonly db: Db;
  /** Connections that no external caller can use up. */
  readonly feedDb: Db;
  readonly revocations: Revocations;
  readonly validateToken: (token: string) => Promise<Result<VerifiedToken>>;
  /** Undefined: no codes and no notices are sent. */
  readonly mailer?: Mailer;
  readonly log: Log;
  readonly watch?: ProgressWatch;
  readonly config: {
    readonly isSignUpOpen: boolean;
    /** True where it is open for programs on this machine only. */
    readonly isSignUpLocal: boolean;
    readonly signingKeyPem: string;
    /** A key that signs no more; tokens that it signed are still believed. */
    readonly previousKeyPem: string | undefined;
    /** STAFF_TOTP=required: staff without a second factor can only enrol one. */
    readonly isStaffTotpRequired: boolean;
  };
};

/** Users, sessions and the keys that sign tokens; `problem` says why one of those is no use. */
export async function createAuth(options: AuthOptions) {
  const { db, feedDb, revocations, validateToken, mailer, log, watch, config } = options;
  const created = await createSigningKeys(config.signingKeyPem, config.previousKeyPem);
  if (!created.ok) return created;
  const keys = created.value;
  const trail = createAuditTrail({ db, log });
  const sealer = createSealer(keys.deriveSecrets('totp secrets'));
  const secondFactor = createSecondFactor({ sealer, log });
  const isMailOn = mailer !== undefined;
  const throttle = createThrottle({ db, secret: keys.deriveSecret('throttle buckets'), log });
  const makeCode = createCodeMaker(keys.deriveSecret('mailed codes'));
  const compose = {
    ...composeNotices,
    'sign-up-code': composeSignUpMail(makeCode),
    'password-reset-code': composeResetMail(makeCode),
    'email-change-code': composeChangeMail(makeCode),
  };
  const mails = mailer && createMailQueue({ db: feedDb, mailer, log, compose, watch });
  const service: HostedService = {
    name: 'digitalwallet.auth.v1.AuthService',
    definition: AuthServiceService,
    handlers: shareByUser(
      createHandlers({
        db,
        feedDb,
        trail,
        log,
        passwords: createPasswords(),
        keys,
        revocations,
        validateToken,
        throttle,
        devices: createDeviceTokens(keys.deriveSecret('device tokens')),
        notices: createNotices({ isMailOn, throttle }),
        clockAlarm: createClockAlarm(log),
        secondFactor,
        isMailOn,
        isSignUpOpen: config.isSignUpOpen,
        isStaffTotpRequired: config.isStaffTotpRequired,
        isSignUpLocal: config.isSignUpLocal,
      }),
    ),
    policies,
    bounds: {
      resolveUsers: { user_ids: maxResolved, emails: maxResolved },
      // As long as a request can be: a credential is refused for what it is not, whatever its
      // length.
      validateToken: { access_token: maxCredentialLength },
      refreshSession: { refresh_token: maxCredentialLength },
      exchangeSession: { browser_token: maxCredentialLength },
      signIn: { password: maxCredentialLength },
    },
    onDenied: (context, method, rejection) => trail.recordDenial(context, method, rejection),
  };
  const pruner = createPruner({ db, log, prunings });
  const auth = {
    service,
    consumers: [],
    readings: pruner.readings,
    /** False before the first admin was created on the host. */
    hasAdmin: async () => (await db.read(countAdmins)) > 0n,
    start: () => {
      void resealSecrets(db, secondFactor, log);
      pruner.start();
      mails?.start();
    },
    stop: async () => {
      await pruner.stop();
      await mails?.stop();
    },
  };
  return { ok: true as const, value: auth };
}

const prunings: readonly Pruning[] = [
  { name: 'sessions', prune: pruneSessions },
  { name: 'revocations', prune: pruneRevocations },
  { name: 'revoked API keys', prune: pruneRevokedKeys },
  { name: 'expired API keys', prune: pruneExpiredKeys },
  { name: 'attempts', prune: pruneAttempts },
  { name: 'sign-ups', prune: pruneSignUps },
  { name: 'codes', prune: pruneCodes },
  { name: 'changes of address', prune: pruneEmailChanges },
  { name: 'mails', prune: pruneMails },
];

/** After a change of the signing key, so that the previous one is not needed for long. */
async function resealSecrets(db: Db, secondFactor: SecondFactor, log: Log): Promise<void> {
  try {
    const count = await secondFactor.resealAll(db);
    if (count > 0) log.info({ count }, 'second factors were encrypted with the new signing key');
  } catch (err) {
    log.warn({ err }, 'second factors were not encrypted with the new signing key');
  }
}
