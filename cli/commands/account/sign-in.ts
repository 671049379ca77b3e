import type { Command } from 'commander';
import { hostname } from 'node:os';

import { AuthServiceService, type ApiKey } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import type { AccountRecord } from '../../credentials/records.ts';
import { keepDeviceToken } from './keep-device-token.ts';
import type { StorageKind, StoredSecret } from '../../credentials/storage.ts';
import { secretOfTokens } from '../../credentials/tokens.ts';
import { toCliFailure } from '../../rpc/errors.ts';
import { fail, failUsage, succeed, type CommandOutcome, type Outcome } from '../../outcome.ts';
import { askEmail, askPassword, readSecret } from '../shared/password.ts';
import { changeSetting, readProfileFile } from '../../config/profiles.ts';
import { sendSignIn } from './send-sign-in.ts';
import { readPasswordAndCode } from '../totp/shared.ts';
import { plainFileWarning, printWhoami } from './whoami.ts';
import type { Start } from '../shared/start.ts';
import { nameRole } from '../../../lib/json/names.ts';

type SignInOptions = {
  readonly email?: string;
  readonly passwordStdin?: boolean;
  /** Password and code, whether or not `passwordStdin` is there too. */
  readonly totpStdin?: boolean;
  readonly withToken?: boolean;
};

type SignedIn = {
  readonly secret: StoredSecret;
  /** Present where the token is an API key. */
  readonly apiKey: ApiKey | undefined;
  readonly user: Pick<AccountRecord, 'userId' | 'email' | 'role'>;
};

/** Adds `wallet sign-in`. */
export function addSignIn(program: Command, start: Start): void {
  program
    .command('sign-in')
    .description("sign in, and keep the session in the system's keychain")
    .option('--email <EMAIL>', 'e-mail address (prompted for if missing)')
    .option('--password-stdin', 'read the password from the first line of stdin')
    .option('--totp-stdin', 'read two lines from stdin: the password, then the code')
    .option('--with-token', 'read a token or an API key from stdin instead')
    .option('--insecure-storage', 'keep the token in a file that only you can read')
    .addHelpText(
      'after',
      `
Examples:
  wallet sign-in --email ana@example.com
  wallet sign-in --email op@example.com --totp-stdin < password-and-code.txt
  wallet sign-in --profile prod --server wallet.example.com:443 --tls
  wallet sign-in --with-token < api-key.txt`,
    )
    .action(async (options: SignInOptions, command: Command) => {
      await start(command, (context) => runSignIn(context, options), { canBeNewProfile: true });
    });
}

/** `wallet sign-in`: by password, or with a token from stdin. */
async function runSignIn(context: Context, options: SignInOptions): Promise<CommandOutcome> {
  const hasPassword = options.passwordStdin === true || options.totpStdin === true;
  if (options.withToken && (options.email !== undefined || hasPassword)) {
    const others = '--email, --password-stdin and --totp-stdin';
    return failUsage('with_token', `--with-token excludes ${others}`);
  }
  const storage = context.settings.isInsecureStorageAllowed ? 'file' : 'keychain';
  // Before the password is asked for and a session begun that could not be kept.
  const usable = await checkStorage(context, storage);
  if (!usable.ok) return usable;
  const signedIn = options.withToken
    ? await signInWithToken(context)
    : await signInWithPassword(context, options);
  if (!signedIn.ok) return signedIn;
  const kept = await keep(context, storage, signedIn.value);
  if (!kept.ok) return kept;
  await rememberServer(context);
  return printWhoami(context, {
    user: { id: kept.value.userId, email: kept.value.email, role: kept.value.role },
    source: storage,
    expiresAtMs: signedIn.value.secret.accessTokenExpiresAtMs,
    sessionExpiresAtMs: signedIn.value.secret.sessionExpiresAtMs,
    apiKey: signedIn.value.apiKey,
  });
}

async function signInWithPassword(
  context: Context,
  options: SignInOptions,
): Promise<Outcome<SignedIn>> {
  const email = await askEmail(context, options.email);
  if (!email.ok) return email;
  const typed = await readTyped(context, options);
  if (!typed.ok) return typed;
  const request = {
    email: email.value,
    password: typed.value.password,
    totpCode: typed.value.code,
    client: `wallet on ${hostname()}`,
    deviceToken: await context.deviceTokens.find(context.account, email.value),
  };
  const answered = await sendSignIn(context, request);
  if (!answered.ok) return answered;
  const { tokens, user, deviceToken } = answered.value;
  if (!tokens || !user) return fail('UNEXPECTED', 'the server answered without a token');
  await keepDeviceToken(context, email.value, deviceToken);
  return succeed({
    secret: secretOfTokens(tokens),
    apiKey: undefined,
    user: { userId: user.id, email: user.email, role: nameRole(user.role) },
  });
}

/** The password, and the code where it is on stdin too. */
async function readTyped(
  context: Context,
  { passwordStdin, totpStdin }: SignInOptions,
): Promise<Outcome<{ readonly password: string; readonly code: string | undefined }>> {
  if (totpStdin) return readPasswordAndCode(context);
  const password = await askPassword(context, { fromStdin: passwordStdin === true, isNew: false });
  return password.ok ? succeed({ password: password.value, code: undefined }) : password;
}

async function signInWithToken(context: Context): Promise<Outcome<SignedIn>> {
  const token = await readSecret(context, 'token');
  if (!token.ok) return token;
  const accessToken = token.value.trim();
  const { caller } = context;
  const validated = await caller.callAs(
    accessToken,
    AuthServiceService.validateToken,
    { accessToken },
    'read',
  );
  if (!validated.ok) return validated;
  if (!validated.value.ok) {
    return { ok: false, failure: toCliFailure(validated.value.failure, 'read') };
  }
  const { userId, role, expiresAt, apiKey } = validated.value.value;
  const got = await caller.callAs(accessToken, AuthServiceService.getUser, { userId: '' }, 'read');
  // An API key may be kept from looking its owner up; the id will do.
  const email = got.ok && got.value.ok ? got.value.value.user?.email : undefined;
  return succeed({
    secret: {
      accessToken,
      accessTokenExpiresAtMs: expiresAt?.getTime(),
      refreshToken: undefined,
      sessionExpiresAtMs: undefined,
    },
    apiKey,
    user: { userId, email, role: nameRole(role) },
  });
}

/** That a sign-in can be stored; asks for the keychain's leave, if it has to. */
function checkStorage(context: Context, storage: StorageKind): Promise<Outcome<undefined>> {
  return context.accounts.withAccountLock(context.account, async (lock) => {
    const room = await context.accounts.reserve(lock, storage);
    if (!room.ok) return room;
    await room.value.release();
    return succeed(undefined);
  });
}

/** Stores the sign-in; a session that cannot be kept is ended. */
async function keep(
  context: Context,
  storage: StorageKind,
  { secret, user }: SignedIn,
): Promise<Outcome<AccountRecord>> {
  const { account, accounts, reporter } = context;
  const record: AccountRecord = {
    profile: context.profile,
    server: context.settings.server.text,
    ...user,
    storage,
    sessionExpiresAtMs: secret.sessionExpiresAtMs,
  };
  const saved = await accounts.withAccountLock(
    account,
    (lock) => accounts.writeAccount(lock, { record, secret }),
    'the sign-in was not kept',
  );
  if (!saved.ok) {
    if (secret.refreshToken !== undefined) {
      await context.caller.callAs(secret.accessToken, AuthServiceService.signOut, {}, 'read');
    }
    return saved;
  }
  if (storage === 'file') await reporter.warn(plainFileWarning);
  if (context.environment.token !== undefined) {
    await reporter.warn('WALLET_TOKEN is set and overrides the stored session');
  }
  return succeed(record);
}

/**
 * A server named at sign-in becomes the profile's, unless it has one. Either way money may go
 * elsewhere than expected from now on, so --quiet does not silence it.
 */
async function rememberServer(context: Context): Promise<void> {
  const { profile, reporter } = context;
  const { text, origin } = context.settingValues.server;
  if (origin !== 'flag' || text === undefined) return;
  const { configDir } = context.environment.paths;
  const file = await readProfileFile(configDir);
  if (!file.ok) return;
  const own = file.value.profiles[profile]?.server;
  if (own !== undefined) {
    if (own === text) return;
    await reporter.warnAlways(
      `the profile ${profile} keeps its server ${own}: commands without --server ${text} go there`,
    );
    return;
  }
  const changed = await changeSetting(configDir, profile, 'server', text);
  if (!changed.ok) return;
  const records = await context.accounts.list();
  const elsewhere = records.filter(
    (record) => record.profile === profile && record.server !== text,
  );
  if (elsewhere.length === 0) {
    await reporter.hint(`the profile ${profile} now uses the server ${text}`);
    return;
  }
  const servers = elsewhere.map(({ server }) => server).join(', ');
  await reporter.warnAlways(
    `the profile ${profile} now uses the server ${text}; its session at ${servers} is kept, ` +
      'and is used only with --server',
  );
}
