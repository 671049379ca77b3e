import { execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

// The generated code is committed; here it is made again and must be the same.

const folder = 'protos/gen';
const before = await readTree();
execFileSync('npx', ['buf', 'generate'], { stdio: ['ignore', 'inherit', 'inherit'] });
const after = await readTree();
const drifted = [...new Set([...before.keys(), ...after.keys()])].filter(
  (file) => before.get(file) !== after.get(file),
);
if (drifted.length > 0) {
  console.error(`these files were not what the protos give; commit them:\n${drifted.join('\n')}`);
  process.exit(1);
}

async function readTree(): Promise<Map<string, string>> {
  const files = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = files.filter((f) => f.isFile()).map((f) => join(f.parentPath, f.name));
  return new Map(
    await Promise.all(
      paths.map(async (path): Promise<[string, string]> => [path, await readFile(path, 'utf8')]),
    ),
  );
}
