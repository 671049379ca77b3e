import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';

import { chapters, intro } from './http-guide/chapters/index.ts';
import { runGuide } from './http-guide/run.ts';
import { ensureTestServices } from './test-services.ts';

// `npm run docs:http` runs every command of docs/http.md with curl, against a daemon of its own,
// and writes the file with the answers. tests/e2e/http/guide.e2e.test.ts compares.

ensureTestServices(['curl']);
const [, major = '0', minor = '0'] =
  /^curl (\d+)\.(\d+)/.exec(execFileSync('curl', ['--version']).toString()) ?? [];
if (Number(major) * 1_000 + Number(minor) < 7_082) {
  console.error('curl 7.82 or newer is needed, for its option --json: install a newer one');
  process.exit(1);
}
await writeFile('docs/http.md', await runGuide(intro, chapters));
