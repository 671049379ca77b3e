import type { Config } from '../config/config.ts';
import { formatHostPort, type ServiceName } from '../config/settings.ts';
import { defaultDataDir, findDataDirFault, findNoDatabase } from '../embedded/index.ts';
import type { Fault } from '../fault.ts';
import { parseDatabaseUrl } from '../platform/db/connection/database-url.ts';
import { urlSetting } from './faults.ts';

/** The folder of the embedded Postgres; undefined where the user has no home folder. */
export const dataDirOf = ({ dataDir, home }: Config): string | undefined =>
  dataDir ?? defaultDataDir(home);

/**
 * Which databases a command works on: what they are, and where. Without passwords. Undefined where
 * it has none.
 */
export function describePlaces(config: Config, names: readonly ServiceName[]): string | undefined {
  const { databases } = config;
  if (names.length === 0) return undefined;
  if (!databases) return describeFolder(dataDirOf(config));
  const places = names.flatMap((name) => describeUrl(name, databases[name]?.url) ?? []);
  return places.length > 0 ? places.join('; ') : undefined;
}

const describeFolder = (folder: string | undefined): string | undefined =>
  folder === undefined
    ? undefined
    : `data folder ${/\p{Cc}/u.test(folder) ? JSON.stringify(folder) : folder}`;

function describeUrl(name: ServiceName, url: string | undefined): string | undefined {
  const parsed = url === undefined ? undefined : parseDatabaseUrl(url);
  if (parsed?.ok !== true) return undefined;
  const { database, user, hosts } = parsed.value;
  const places = hosts.map(({ host = 'localhost', port }) =>
    host.startsWith('/') ? host : formatHostPort({ host, port }),
  );
  const named = JSON.stringify(database ?? user ?? name);
  return `${name} database ${named} at ${places.join(', ')} (${urlSetting(name)})`;
}

/** Why the embedded Postgres cannot have its folder there. Creates nothing. */
export async function findPlaceFault(config: Config): Promise<Fault | undefined> {
  if (config.databases || config.services.length === 0) return undefined;
  const folder = dataDirOf(config);
  return folder === undefined ? noHome(config.home.uid) : (await findDataDirFault(folder))?.fault;
}

/** Why a command has no embedded database to work on. Creates nothing. */
export async function findNoEmbedded(config: Config): Promise<Fault | undefined> {
  const folder = dataDirOf(config);
  return folder === undefined ? noHome(config.home.uid) : (await findNoDatabase(folder))?.fault;
}

/** Without a home folder there is no default place. */
export const noHome = (uid: number): Fault => ({
  fault: `there is no folder for the data: the user with id ${uid} has no home folder on this host`,
  hint: 'name a folder with WALLETD_DATA_DIR, or use a Postgres of your own (AUTH_DATABASE_URL and so on)',
});
