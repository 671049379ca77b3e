import { readFile, writeFile } from 'node:fs/promises';

import { listManPages } from './man/write.ts';

// `npm run man`: names every man page in package.json. npm installs only those that are named
// there, one by one; it ignores a folder.

const text = await readFile('package.json', 'utf8');
const pages = await listManPages();
const packageJson = JSON.parse(text) as Record<string, unknown>;
packageJson['man'] = pages.map(({ file }) => `./dist/man/${file}`);
await writeFile('package.json', `${JSON.stringify(packageJson, null, 2)}\n`);
