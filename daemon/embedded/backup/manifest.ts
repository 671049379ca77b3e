import { createHash } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';

import { readIfPresent, writeFileAtomic } from '../../../lib/files.ts';
import { fail, succeed, type Outcome } from '../../fault.ts';

export const manifestName = 'manifest.json';

/** A relative path without `.`, `..`, empty parts and control characters. */
const pathSchema = z
  .string()
  .regex(/^(?!.*(^|\/)\.{0,2}(\/|$))[^\p{Cc}\\]+$/u)
  .refine((at) => at !== manifestName);

const manifestSchema = z.strictObject({
  format: z.literal(1),
  /** Versions of the walletd and of the Postgres that wrote it. */
  walletd: z.string(),
  postgres: z.string(),
  majorVersion: z.number().int().positive(),
  /** A cluster runs on the kind of machine that it was created on: `linux-x64`. */
  platform: z.string(),
  systemId: z.string(),
  /** By the clock of the database. */
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  startLsn: z.string(),
  stopLsn: z.string(),
  /** Also those without files, which some copies of a backup lack. */
  folders: z.array(pathSchema),
  files: z.array(
    z.strictObject({
      path: pathSchema,
      bytes: z.number().int().nonnegative(),
      sha256: z.string().regex(/^[0-9a-f]{64}$/),
    }),
  ),
});

const sealedSchema = z.strictObject({
  manifest: z.record(z.string(), z.unknown()),
  sha256: z.string(),
});

/** What a backup contains. It is written last: a folder without it is no complete backup. */
export type Manifest = Readonly<z.infer<typeof manifestSchema>>;

/** Completes a backup. The file has a checksum of its own. */
export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const sealed = { manifest, sha256: digestOf(manifest) };
  await writeFileAtomic(path.join(folder, manifestName), `${JSON.stringify(sealed, null, 1)}\n`);
}

/** Fails where there is none, where it is damaged, and where a newer walletd wrote it. */
export async function readManifest(folder: string): Promise<Outcome<Manifest>> {
  const file = path.join(folder, manifestName);
  const text = await readIfPresent(file);
  if (text === null) {
    return fail(
      `${folder} is no complete backup: it has no ${manifestName}, which is written last.`,
      'Name another backup with --from. This one was interrupted, or is still being written.',
    );
  }
  const sealed = parse(text);
  if (sealed === null || digestOf(sealed.manifest) !== sealed.sha256) {
    return fail(`The backup ${folder} is damaged: ${manifestName} has been changed.`, otherBackup);
  }
  const read = manifestSchema.safeParse(sealed.manifest);
  if (read.success) return succeed(read.data);
  return fail(
    `The backup ${folder} has a format that this walletd does not know.`,
    'Restore it with the walletd that made it, or with a newer one.',
  );
}

export const otherBackup = 'Restore another backup, or copy this one again from where it is kept.';

function parse(text: string): z.infer<typeof sealedSchema> | null {
  try {
    return sealedSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

const digestOf = (manifest: unknown): string =>
  createHash('sha256').update(JSON.stringify(manifest)).digest('hex');
