import type { BuildOptions } from 'esbuild';

/** What the builds of all programs share. */
export const commonBuild: BuildOptions = {
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  sourcemap: true,
  logLevel: 'warning',
};

/**
 * The daemon, into this folder. It keeps its libraries outside, where stack traces and audits find
 * them.
 */
export const daemonBuild = (outdir: string): BuildOptions => ({
  ...commonBuild,
  entryPoints: ['daemon/main.ts', 'daemon/host/file-reader.ts'],
  outdir,
  splitting: true,
  chunkNames: 'chunks/[name]-[hash]',
  packages: 'external',
});
