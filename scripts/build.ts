import { chmod, rm } from 'node:fs/promises';
import { build, type BuildOptions } from 'esbuild';

// The command line is bundled with its libraries: reading one file instead of hundreds is most of
// its start-up time. The daemon keeps them outside, where stack traces and audits find them.
const common: BuildOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  splitting: true,
  sourcemap: true,
  chunkNames: 'chunks/[name]-[hash]',
  logLevel: 'warning',
};

const requireForCommonJs =
  "import { createRequire as __createRequire } from 'node:module';" +
  'const require = __createRequire(import.meta.url);';

await rm('dist', { recursive: true, force: true });
await Promise.all([
  build({
    ...common,
    entryPoints: { main: 'cli/main.ts', 'keychain-helper': 'cli/keychain-helper.ts' },
    outdir: 'dist/cli',
    external: ['keytar'],
    minifySyntax: true,
    banner: { js: requireForCommonJs },
  }),
  build({
    ...common,
    entryPoints: { main: 'daemon/main.ts' },
    outdir: 'dist/daemon',
    packages: 'external',
  }),
]);
await Promise.all(['dist/cli/main.js', 'dist/daemon/main.js'].map((file) => chmod(file, 0o755)));
