import { writeFile } from 'node:fs/promises';

import { runTour } from './tour-story/run.ts';
import { ensureTestServices } from './test-services.ts';

// `npm run docs:tour` runs every command of docs/tour.md against a daemon of its own, and writes the
// file with what they print. tests/e2e/cli/tour.e2e.test.ts compares.

ensureTestServices([]);
await writeFile('docs/tour.md', await runTour());
