import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Puts the built program under its name into `folder`/bin; gives that folder, for PATH. */
export async function installWallet(folder: string): Promise<string> {
  const bin = join(folder, 'bin');
  await mkdir(bin, { recursive: true });
  const program = join(process.cwd(), 'dist/cli/main.js');
  const file = join(bin, 'wallet');
  await writeFile(file, `#!/bin/sh\nexec '${process.execPath}' '${program}' "$@"\n`);
  await chmod(file, 0o755);
  return bin;
}
