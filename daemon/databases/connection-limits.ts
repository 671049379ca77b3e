import type { Config } from '../config/config.ts';
import type { Fault } from '../fault.ts';
import { readConnectionLimits, type ConnectionLimits } from '../platform/db/checks.ts';
import { classifyDbError, type Db } from '../platform/db/db.ts';
import type { ServiceName } from '../config/settings.ts';

/** Of a service's connections, for what must go on whatever the load is. */
const reservedConnections = 6;
/** Of these, in the statement service, for what comes from the ledger. */
const projectingConnections = 2;
const minConnections = 10;
const minEmbedded = 100;
/** For commands beside the daemon, and for a look by hand. */
const spareEmbedded = 20;

type Sized = Pick<Config, 'databaseConnections'>;

/** How a service's connections are divided between its pools; 0 where it has no such pool. */
export function sizePools({ databaseConnections }: Sized, name: ServiceName) {
  const projecting = name === 'statement' ? projectingConnections : 0;
  const dbs = databaseConnections - reservedConnections;
  return { dbs, reserved: reservedConnections - projecting, projecting };
}

/** What the embedded Postgres must allow. */
export const embeddedConnections = ({ databaseConnections }: Sized): number =>
  Math.max(minEmbedded, 3 * databaseConnections + spareEmbedded);

export type LimitsByService = ReadonlyMap<ServiceName, ConnectionLimits>;

/** What the servers of these databases allow; those of a server that does not say are left out. */
export async function readLimits(
  dbs: Readonly<Partial<Record<ServiceName, Db>>>,
): Promise<LimitsByService> {
  const found = new Map<ServiceName, ConnectionLimits>();
  for (const [name, db] of Object.entries(dbs) as [ServiceName, Db][]) {
    try {
      found.set(name, await db.read(readConnectionLimits));
    } catch (err) {
      if (classifyDbError(err) === 'transient') throw err;
    }
  }
  return found;
}

/** Why a daemon that opens so many connections for each service must not start; pure. */
export function findLimitFault(limits: LimitsByService, perService: number): Fault | undefined {
  for (const [name, { roleLimit, databaseLimit }] of limits) {
    const allowed = Math.min(...[roleLimit, databaseLimit].filter((limit) => limit >= 0));
    if (perService <= allowed) continue;
    const what = allowed === roleLimit ? 'its role' : 'the database';
    return {
      fault: `the ${name} database allows ${what} ${allowed} connections, and the daemon may open ${perService}`,
      hint: `raise its CONNECTION LIMIT to ${perService} or more${orLower(allowed)}`,
    };
  }
  for (const { names, max, reserved } of groupByServer(limits)) {
    const wanted = names.length * perService;
    const allowed = max - reserved;
    if (wanted <= allowed) continue;
    return {
      fault:
        `${describeServer(names)} allows ${allowed} connections (max_connections is ${max}, and ` +
        `${reserved} are for superusers), and this daemon may open ${wanted}`,
      hint:
        `set max_connections to ${wanted + reserved} or more` +
        orLower(Math.floor(allowed / names.length)),
    };
  }
  return undefined;
}

/** What an operator should know of servers whose connections others may use up; pure. */
export function listLimitNotices(limits: LimitsByService, perService: number): string[] {
  return groupByServer(limits).flatMap(({ names, max, reserved, used }) => {
    const wanted = names.length * perService;
    // One of each pool is open by now.
    const open = names.length * 2 + (names.includes('statement') ? 1 : 0);
    const others = Math.max(0, used - open);
    if (others + wanted <= max - reserved) return [];
    return (
      `${describeServer(names)} allows ${max - reserved} connections; others have ${others} now, and ` +
      `this daemon may open ${wanted}: raise max_connections, or lower DATABASE_CONNECTIONS`
    );
  });
}

const orLower = (allowed: number): string =>
  allowed >= minConnections ? `, or DATABASE_CONNECTIONS to ${allowed} or less` : '';

const describeServer = (names: readonly ServiceName[]): string =>
  names.length === 1
    ? `the server of the ${names.join()} database`
    : `the server of the databases ${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;

function groupByServer(limits: LimitsByService) {
  const groups = new Map<string, ConnectionLimits & { readonly names: ServiceName[] }>();
  for (const [name, found] of limits) {
    const group = groups.get(found.server) ?? { ...found, names: [] };
    group.names.push(name);
    groups.set(found.server, group);
  }
  return [...groups.values()];
}
