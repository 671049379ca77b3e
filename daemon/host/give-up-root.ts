import type { Config } from '../config/config.ts';
import type { Outcome } from '../fault.ts';
import { parseDatabaseUrl } from '../platform/db/connection/database-url.ts';
import { becomeAccount, findUnreadable, type Account } from './account.ts';

/**
 * Becomes the account, if there is one, and checks that it can read what is opened again while the
 * daemon runs.
 */
export async function giveUpRoot(account: Account | null, config: Config): Promise<Outcome<null>> {
  if (!account) return { ok: true, value: null };
  const became = becomeAccount(account);
  if (!became.ok) return became;
  const path = await findUnreadable(listDriverFiles(config));
  if (path === undefined) return became;
  return {
    ok: false,
    fault: {
      fault: `${path}, which a database URL names, cannot be read by the user ${account.name}`,
      hint: 'every new connection reads it: give that user access, or choose one with WALLETD_USER',
    },
  };
}

/** The files that URLs of the databases in use name; the driver reads them for each connection. */
function listDriverFiles({ databases, services }: Config): string[] {
  return services.flatMap((name) => {
    const parsed = parseDatabaseUrl(databases?.[name]?.url ?? '');
    if (!parsed.ok) return [];
    const { sslRootCert, sslCert, sslKey } = parsed.value;
    const named = sslRootCert === 'system' ? [] : [sslRootCert];
    return [...named, sslCert, sslKey].filter((path) => path !== undefined);
  });
}

/** What an operator should know about the rights of this process. */
export function listHostNotices(config: Config, account: Account | null): string[] {
  const notices: string[] = [];
  if (config.ownerSettings.length > 0) {
    notices.push(
      `${config.ownerSettings.join(', ')}: the system shows the environment of this process to its ` +
        'user; run `walletd migrate` with these URLs, and start walletd without them',
    );
  }
  if (account === null && process.geteuid?.() === 0) {
    notices.push('it runs as root (WALLETD_USER=root); an unprivileged user is safer');
  }
  return notices;
}
