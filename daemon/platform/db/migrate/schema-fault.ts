import type { Migration } from './migration-files.ts';

/** A row of `schema_migrations`. */
export type AppliedRow = {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  readonly min_compatible: number;
};

export type SchemaFault = { readonly fault: string; readonly hint: string };

/**
 * Why this program must not work on a database with these rows, or undefined. `recreateHint` says
 * how to make a new database.
 */
export function findSchemaFault(
  migrations: readonly Migration[],
  applied: readonly AppliedRow[],
  recreateHint: string,
): SchemaFault | undefined {
  const known = new Map(migrations.map((migration) => [migration.version, migration]));
  const foreign = applied.find((row) => nameOf(known, row) !== row.name);
  if (foreign) {
    return {
      fault:
        `an earlier development version created this database: it has migration ${foreign.name}, ` +
        `this version has ${nameOf(known, foreign)}`,
      hint: `its data cannot be converted. ${recreateHint}`,
    };
  }
  const newest = Math.max(0, ...known.keys());
  const required = Math.max(0, ...applied.map((row) => row.min_compatible));
  if (required > newest) {
    return {
      fault:
        `the schema needs a program that knows migration ${required}; ` +
        `this one ends at ${newest}`,
      hint: 'install the newer release again, or restore a backup from before the upgrade',
    };
  }
  const changed = applied.find((row) => {
    const migration = known.get(row.version);
    return migration !== undefined && migration.checksum !== row.checksum;
  });
  return (
    changed && {
      fault: `migration ${changed.name} was changed after it had been applied`,
      hint:
        'restore the file as it was released, and put changes into a new migration; a database ' +
        `of an earlier development version cannot be converted. ${recreateHint}`,
    }
  );
}

/** The name that this program has for the migration; its own for one of a newer release. */
const nameOf = (known: ReadonlyMap<number, Migration>, { version, name }: AppliedRow): string =>
  known.get(version)?.name ?? name;
