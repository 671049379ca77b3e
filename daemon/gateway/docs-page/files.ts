import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const own = 'daemon/gateway/docs-page';
const swaggerUi = 'node_modules/swagger-ui-dist';

/** The files of the pages, where they are in the sources. The build copies them under these names. */
export const docsFiles = {
  'index.html': `${own}/index.html`,
  'initializer.js': `${own}/initializer.js`,
  'docs.css': `${own}/docs.css`,
  'errors.css': `${own}/errors.css`,
  'errors.md': 'docs/errors.md',
  'swagger-ui.css': `${swaggerUi}/swagger-ui.css`,
  'swagger-ui-bundle.js': `${swaggerUi}/swagger-ui-bundle.js`,
  // Its licence goes where its code goes.
  'swagger-ui-license.txt': `${swaggerUi}/LICENSE`,
  'swagger-ui-notice.txt': `${swaggerUi}/NOTICE`,
} as const;

export type DocsFile = keyof typeof docsFiles;

/** Reads a file of the build, or from source where there is no build. */
export function readDocsFile(name: DocsFile): Buffer {
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    const built = join(dir, 'docs-page', name);
    if (existsSync(join(dir, 'docs-page', 'swagger-ui-bundle.js'))) return readFileSync(built);
    if (existsSync(join(dir, swaggerUi))) return readFileSync(join(dir, docsFiles[name]));
    if (dir === dirname(dir)) {
      throw new Error('the folder "docs-page" is missing from the package: build it again');
    }
  }
}
