import { writeFile } from 'node:fs/promises';

import { drawScreens } from './screens/run.ts';
import { ensureTestServices } from './test-services.ts';

// `npm run docs:screens` runs the commands of docs/screens.md in terminals of three widths, against
// a daemon of its own, and writes the page. tests/e2e/cli/screens.e2e.test.ts compares.

ensureTestServices(['tmux']);
await writeFile('docs/screens.md', await drawScreens());
