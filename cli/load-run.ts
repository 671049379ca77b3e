import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script, constants } from 'node:vm';

import type * as Run from './run.ts';

type Module = { exports: typeof Run };
type Wrapped = (
  exports: typeof Run,
  require: NodeJS.Require,
  module: Module,
  filename: string,
  dirname: string,
) => void;

const wrapperStart = '(function (exports, require, module, __filename, __dirname) {';
const digestLength = 20;

/**
 * Takes the place of `run.ts` in the build: loads it from `run.js` beside this file, with the code
 * that V8 compiled of it at build time. Where that does not fit, V8 compiles `run.js` again.
 */
export async function runProcess(helperUrl: URL): Promise<void> {
  const require = createRequire(import.meta.url);
  const file = join(dirname(fileURLToPath(import.meta.url)), 'run.js');
  // Node maps stack traces only in files that it loads itself.
  const run = process.sourceMapsEnabled ? (require(file) as typeof Run) : loadCached(file, require);
  await run.runProcess(helperUrl);
}

function loadCached(file: string, require: NodeJS.Require): typeof Run {
  // The build writes ASCII only.
  const source = readFileSync(file, 'latin1');
  const script = new Script(`${wrapperStart}${source}\n})`, {
    filename: file,
    columnOffset: -wrapperStart.length,
    cachedData: readCodeCache(file.replace(/js$/, 'cache'), source),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  const module: Module = { exports: {} as typeof Run };
  const load = script.runInThisContext() as Wrapped;
  load(module.exports, require, module, file, dirname(file));
  return module.exports;
}

/** Undefined if there is none, if it is damaged, or if it was made of another file or by another Node. */
function readCodeCache(file: string, source: string): Buffer | undefined {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch {
    return undefined;
  }
  const data = bytes.subarray(digestLength);
  const isWhole = digestOf(source, data).equals(bytes.subarray(0, digestLength));
  return isWhole ? data : undefined;
}

/**
 * A checksum against accidents: V8 checks versions and lengths, not contents. Who can write the
 * cache can write `run.js` too. SHA-1 takes 2 ms, SHA-256 6.
 */
export function digestOf(source: string, data: Buffer): Buffer {
  const { version, platform, arch } = process;
  return createHash('sha1')
    .update(`${version} ${platform} ${arch}\n`)
    .update(source, 'latin1')
    .update(data)
    .digest();
}
