import { readFile } from 'node:fs/promises';
import { relative, resolve } from 'node:path';

import { build, type Plugin } from 'esbuild';

import { daemonBuild } from '../../../scripts/build-options.ts';
import { failpointBanner, plantFailpoints } from './failpoints.ts';

/** Within `dist`, where the daemon finds its migrations and libraries, and a build removes it. */
const outdir = 'dist/failpoints/daemon';

const plant: Plugin = {
  name: 'plant-failpoints',
  setup: ({ onLoad }) => {
    onLoad({ filter: /\/daemon\/platform\/.*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const contents = plantFailpoints(relative(process.cwd(), path), text);
      return contents === text ? undefined : { contents, loader: 'ts' };
    });
  },
};

/** Builds the daemon with failpoints, apart from the normal one; gives the path of its program. */
export async function buildWithFailpoints(): Promise<string> {
  const banner = { js: failpointBanner };
  await build({ ...daemonBuild(outdir), sourcemap: false, plugins: [plant], banner });
  return resolve(outdir, 'main.js');
}
