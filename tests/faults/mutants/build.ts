import { readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { build, type Plugin } from 'esbuild';

import { daemonBuild } from '../../../scripts/build-options.ts';
import { applyEdits, groupByFile, type Edit, type Mutant } from './planted.ts';

/** Within `dist`, where the daemon finds its migrations and libraries, and a build removes it. */
const folder = 'dist/mutants';

/** Reads the files of these edits with the edits. */
function plant(edits: readonly Edit[]): Plugin {
  const byPath = new Map([...groupByFile(edits)].map(([file, own]) => [resolve(file), own]));
  return {
    name: 'plant',
    setup: ({ onLoad }) => {
      onLoad({ filter: /\/(daemon|core|lib)\/.*\.ts$/ }, async ({ path }) => {
        const own = byPath.get(path);
        if (!own) return undefined;
        return { contents: applyEdits(await readFile(path, 'utf8'), own), loader: 'ts' };
      });
    },
  };
}

/** Builds the daemon with this defect; gives the path of its program. */
export async function buildMutant({ name, edits }: Mutant): Promise<string> {
  const outdir = join(folder, name.replace(/[^a-z0-9]+/gi, '-'), 'daemon');
  await build({ ...daemonBuild(outdir), sourcemap: false, plugins: [plant(edits)] });
  return resolve(outdir, 'main.js');
}

export const removeMutants = (): Promise<void> => rm(folder, { recursive: true, force: true });
