import type { Result } from '../../core/reasons.ts';
import { AuthServiceService } from '../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Role } from '../../core/roles.ts';
import type { Db } from '../platform/db.ts';
import type { HostedService } from '../platform/grpc/server.ts';
import type { Revocations } from '../platform/revocations.ts';
import type { VerifiedToken } from '../platform/tokens.ts';
import { createAccount } from './accounts.ts';
import type { User } from './domain.ts';
import { createHandlers } from './handlers.ts';
import { createPasswords } from './passwords.ts';
import { policies } from './policy.ts';
import { createSigningKeys } from './signing-keys.ts';
import { countAdmins, prune } from './store.ts';

export { generateSigningKey } from './signing-keys.ts';

const pruneEveryMs = 10 * 60_000;

export type AuthOptions = {
  readonly db: Db;
  /** Connections that nobody from outside can use up. */
  readonly feedDb: Db;
  readonly revocations: Revocations;
  readonly validateToken: (token: string) => Promise<Result<VerifiedToken>>;
  readonly config: { readonly isSignUpOpen: boolean; readonly signingKeyPem: string };
};

/** Users, sessions and the keys that sign tokens; `problem` says why the signing key is no use. */
export async function createAuth({ db, feedDb, revocations, validateToken, config }: AuthOptions) {
  const created = await createSigningKeys(config.signingKeyPem);
  if (!created.ok) return created;
  const keys = created.value;
  const service: HostedService = {
    name: 'digitalwallet.auth.v1.AuthService',
    definition: AuthServiceService,
    handlers: createHandlers({
      db,
      feedDb,
      passwords: createPasswords(),
      keys,
      revocations,
      validateToken,
      isSignUpOpen: config.isSignUpOpen,
    }),
    policies,
  };
  let pruning: NodeJS.Timeout | undefined;
  const auth = {
    service,
    consumers: [],
    /** False before the first admin was created on the host. */
    hasAdmin: async () => (await db.read(countAdmins)) > 0n,
    start: () => {
      pruning = setInterval(() => void db.tx(prune).catch(() => undefined), pruneEveryMs);
    },
    stop: () => {
      clearInterval(pruning);
      return Promise.resolve();
    },
  };
  return { ok: true as const, value: auth };
}

/** What `walletd users create` does on the host: an account that counts as vouched for. */
export function createUserOnHost(
  db: Db,
  account: { readonly email: string; readonly password: string; readonly role: Role },
): Promise<Result<User>> {
  return createAccount({ db, passwords: createPasswords() }, { ...account, isEmailVerified: true });
}
