import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export type Migration = {
  readonly version: number;
  readonly name: string;
  readonly text: string;
  readonly checksum: string;
  /** The oldest program, by its newest migration, that can work on a database with this one. */
  readonly minCompatibleVersion: number;
};

/** The migrations of a folder, in order. Throws for a gap in the numbers or a missing header. */
export async function readMigrations(folder: string): Promise<Migration[]> {
  const files = (await readdir(folder))
    .filter((file) => /^\d{4}-[a-z0-9-]+\.sql$/.test(file))
    .sort();
  return Promise.all(
    files.map(async (file, index) => {
      const text = (await readFile(join(folder, file), 'utf8')).replaceAll('\r\n', '\n');
      const version = Number(file.slice(0, 4));
      if (version !== index + 1) throw new Error(`${folder}: ${file} leaves a gap in the numbers`);
      const header = /^-- min-compatible: (\d+)$/m.exec(text);
      if (!header) throw new Error(`${folder}/${file} has no line "-- min-compatible: N"`);
      return {
        version,
        name: file.slice(0, -4),
        text,
        checksum: createHash('sha256').update(text).digest('hex'),
        minCompatibleVersion: Number(header[1]),
      };
    }),
  );
}
