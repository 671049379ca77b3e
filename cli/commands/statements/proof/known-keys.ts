import { join } from 'node:path';

import type { Context } from '../../../context.ts';
import { parseJsonObject, readTextIfAny, writePrivateFile } from '../../../files/files.ts';
import { withLock } from '../../../files/lock.ts';
import { succeed, type Outcome } from '../../../outcome.ts';

/** A key with which a server signs its checkpoints, as it was seen on a connection to it. */
type KnownKey = {
  readonly id: string;
  /** SPKI, PEM. */
  readonly publicKey: string;
  /** `host:port`. */
  readonly server: string;
  /** RFC 3339: when it was seen first. */
  readonly seenAt: string;
};

type Parts = Pick<Context, 'environment' | 'settings' | 'clock' | 'reporter'>;

const fileName = 'checkpoint-keys.json';
const lockWaitMs = 5_000;
/** A server that changes its key each hour would fill the file. */
const maxKeys = 1_000;

/** The keys of all servers from which a proof was fetched. */
export async function readKnownKeys({
  environment,
}: Pick<Parts, 'environment'>): Promise<readonly KnownKey[]> {
  const text = await readTextIfAny(join(environment.paths.configDir, fileName));
  const keys = text === undefined ? undefined : parseJsonObject(text)?.['keys'];
  return Array.isArray(keys) ? keys.filter(isKnownKey) : [];
}

function isKnownKey(value: unknown): value is KnownKey {
  if (typeof value !== 'object' || value === null) return false;
  const fields = value as Readonly<Record<string, unknown>>;
  return ['id', 'publicKey', 'server', 'seenAt'].every((name) => typeof fields[name] === 'string');
}

/**
 * Keeps the key that a server gave with a proof (trust on first use). Another key of the same
 * server than those that are known is kept too, with a warning.
 */
export async function rememberKey(
  parts: Parts,
  key: Pick<KnownKey, 'id' | 'publicKey'>,
): Promise<Outcome<undefined>> {
  const { environment, settings, clock, reporter } = parts;
  const { configDir } = environment.paths;
  const server = settings.server.text;
  const kept = await withLock(configDir, 'checkpoint-keys', lockWaitMs, async () => {
    const keys = await readKnownKeys(parts);
    const ofServer = keys.filter((known) => known.server === server);
    if (ofServer.some(({ publicKey }) => publicKey === key.publicKey)) return succeed(undefined);
    const added = { ...key, server, seenAt: new Date(clock.now()).toISOString() };
    const text = JSON.stringify({ version: 1, keys: [...keys, added].slice(-maxKeys) }, null, 2);
    const written = await writePrivateFile(join(configDir, fileName), `${text}\n`);
    return written.ok ? succeed(ofServer.at(-1)) : written;
  });
  if (!kept.ok) return kept;
  if (kept.value) {
    await reporter.warnAlways(
      `${server} signs its checkpoints with another key than before: ${key.id}, not ` +
        `${kept.value.id}; ask its operator whether the key was changed`,
    );
  }
  return succeed(undefined);
}
