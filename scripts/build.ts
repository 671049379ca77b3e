import { chmod, copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';

import { build, type Plugin } from 'esbuild';
import ts from 'typescript';

import { commonBuild as common, daemonBuild } from './build-options.ts';
import { writeCodeCache } from './code-cache.ts';
import { docsFiles } from '../daemon/gateway/docs-page/files.ts';
import { writeManPages } from './man/write.ts';

// The command line is one file with its libraries, beside a small one that prints the version or
// loads the other with the code that V8 made of it (decision 78). Both are CommonJS: ES modules
// load more of what is built in.

const declarationOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023,
  module: ts.ModuleKind.NodeNext,
  isolatedDeclarations: true,
  strict: true,
  exactOptionalPropertyTypes: true,
};

/** `cli/main.ts` loads the rest from the file beside it, when it needs it. */
const loadRun: Plugin = {
  name: 'load-run',
  setup: ({ onResolve }) => {
    onResolve({ filter: /^\.\/run\.ts$/ }, ({ importer }) =>
      importer.endsWith('/cli/main.ts') ? { path: resolve('cli/load-run.ts') } : undefined,
    );
  },
};

/**
 * The generated service clients, which the command line does not use, would load the gRPC library
 * at every start. Marked as pure they are left out, and the library loads with the first
 * connection.
 */
const omitGeneratedClients: Plugin = {
  name: 'omit-generated-clients',
  setup: ({ onLoad, onResolve, resolve }) => {
    onLoad({ filter: /\/protos\/gen\/.*\.ts$/ }, async ({ path }) => {
      const text = await readFile(path, 'utf8');
      const pure = '/* @__PURE__ */ makeGenericClientConstructor(';
      return { contents: text.replaceAll('makeGenericClientConstructor(', pure), loader: 'ts' };
    });
    onResolve({ filter: /^@grpc\/grpc-js$/ }, async ({ path, pluginData, ...options }) => {
      if (pluginData === 'resolved') return undefined;
      const found = await resolve(path, { ...options, pluginData: 'resolved' });
      return { ...found, sideEffects: false };
    });
  },
};

/** The types of the client, from the annotations of each file alone: a check would take seconds. */
async function writeDeclarations(): Promise<void> {
  const names = await readdir('client', { recursive: true });
  for (const name of names.filter((each) => /(?<!\.test)\.ts$/.test(each))) {
    const { outputText, diagnostics = [] } = ts.transpileDeclaration(
      await readFile(`client/${name}`, 'utf8'),
      { fileName: basename(name), reportDiagnostics: true, compilerOptions: declarationOptions },
    );
    const faults = diagnostics.map(({ messageText }) =>
      ts.flattenDiagnosticMessageText(messageText, ' '),
    );
    if (faults.length > 0) throw new Error(`client/${name}: ${faults.join('; ')}`);
    // Programs of others do not import .ts files.
    const text = outputText.replace(/(from '\.[^']*)\.ts(?=')/g, '$1.js');
    await mkdir(dirname(`dist/client/${name}`), { recursive: true });
    await writeFile(`dist/client/${name.replace(/\.ts$/, '.d.ts')}`, text);
  }
}

await rm('dist', { recursive: true, force: true });
await Promise.all([
  build({
    ...common,
    format: 'cjs',
    entryPoints: ['main', 'run', 'keychain-helper'].map((name) => `cli/${name}.ts`),
    outdir: 'dist/cli',
    // The loader of .proto files is for services that the command line has not.
    external: ['keytar', '@grpc/proto-loader'],
    plugins: [loadRun, omitGeneratedClients],
    define: { 'import.meta.url': '__url' },
    minifySyntax: true,
    minifyWhitespace: true,
    banner: { js: "const __url = require('node:url').pathToFileURL(__filename).href;" },
  }),
  build(daemonBuild('dist/daemon')),
  build({
    ...common,
    platform: 'neutral',
    entryPoints: ['client/index.ts'],
    outdir: 'dist/client',
  }),
]);
await writeFile('dist/cli/package.json', '{ "type": "commonjs" }\n');
await Promise.all([writeCodeCache(), writeDeclarations()]);
await writeManPages('dist/man');
await mkdir('dist/daemon/docs-page');
for (const [name, source] of Object.entries(docsFiles)) {
  await copyFile(source, `dist/daemon/docs-page/${name}`);
}
await Promise.all(['dist/cli/main.js', 'dist/daemon/main.js'].map((file) => chmod(file, 0o755)));
