import type { Role } from '../../core/roles.ts';
import { createUserOnHost } from '../auth/index.ts';
import type { Config } from '../config.ts';
import { connectDatabase, openDatabases, prepareSchemas } from '../databases.ts';
import type { Outcome } from '../fault.ts';
import { createLifecycle } from '../platform/lifecycle.ts';
import type { Log } from '../platform/log.ts';

export type NewUser = {
  readonly email: string;
  readonly password: string;
  readonly role: Role;
};

/**
 * Makes an account straight in the auth database: the way to the first admin. Works beside a
 * running daemon, and starts the embedded Postgres for itself where none runs.
 */
export async function createUser(
  config: Config,
  user: NewUser,
  log: Log,
): Promise<Outcome<{ readonly id: string; readonly email: string; readonly role: string }>> {
  const lifecycle = createLifecycle(log);
  try {
    const opened = await openDatabases(config, log, 'attach', () => undefined);
    if (!opened.ok) return opened;
    const databases = opened.value;
    lifecycle.defer('databases', () => databases.stop());
    const unready = await prepareSchemas(databases, ['auth'], config.shouldMigrate, log);
    if (unready) return { ok: false, fault: unready };
    const connected = await connectDatabase('auth', databases.urls.auth?.url ?? '', config, log);
    if (!connected.ok) return connected;
    lifecycle.defer('database', () => connected.value.close());
    const created = await createUserOnHost(connected.value, user);
    if (created.ok) return { ok: true, value: created.value };
    const { message } = created.rejection;
    return { ok: false, fault: { fault: message, hint: 'correct it and run the command again' } };
  } finally {
    await lifecycle.release(10_000);
  }
}
