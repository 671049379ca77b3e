import { serviceNames, type Parsed, type ServiceName } from './settings.ts';

/** Databases of one's own: what the daemon works with, and who migrates. */
export type DatabaseUrls = { readonly url: string; readonly ownerUrl: string };

/** Where nothing is set: with the embedded database, or as the owners that are named. */
export function shouldMigrate(parsed: Parsed): boolean {
  if (parsed.WALLETD_MIGRATE !== '') return parsed.WALLETD_MIGRATE === 'on';
  return !usesOwnDatabases(parsed) || ownersIn(parsed).length > 0;
}

export type OwnerSetting = `${Uppercase<ServiceName>}_MIGRATION_DATABASE_URL`;

/** The settings that hold a URL with the rights of a database's owner. */
export const ownersIn = (parsed: Parsed): OwnerSetting[] =>
  serviceNames
    .map(
      (name): OwnerSetting =>
        `${name.toUpperCase() as Uppercase<ServiceName>}_MIGRATION_DATABASE_URL`,
    )
    .filter((name) => parsed[name] !== undefined);

/** True where a database URL is set: the embedded Postgres is not used. */
export function usesOwnDatabases(parsed: Parsed): boolean {
  return serviceNames.some(
    (name) => parsed[`${name.toUpperCase() as Uppercase<ServiceName>}_DATABASE_URL`] !== undefined,
  );
}

/**
 * The URLs of each service that has some; without an owner's, the role that works stands for it.
 */
export function databasesOf(parsed: Parsed): Partial<Record<ServiceName, DatabaseUrls>> {
  const pair = (url: string | undefined, ownerUrl: string | undefined) =>
    url === undefined ? undefined : { url, ownerUrl: ownerUrl ?? url };
  const auth = pair(parsed.AUTH_DATABASE_URL, parsed.AUTH_MIGRATION_DATABASE_URL);
  const wallet = pair(parsed.WALLET_DATABASE_URL, parsed.WALLET_MIGRATION_DATABASE_URL);
  const statement = pair(parsed.STATEMENT_DATABASE_URL, parsed.STATEMENT_MIGRATION_DATABASE_URL);
  return {
    ...(auth ? { auth } : {}),
    ...(wallet ? { wallet } : {}),
    ...(statement ? { statement } : {}),
  };
}
