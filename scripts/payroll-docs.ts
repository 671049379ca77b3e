import { writeFile } from 'node:fs/promises';

import { runPayrollStory } from './payroll-story/run.ts';
import { ensureTestServices } from './test-services.ts';

// `npm run docs:payroll` runs every command of docs/payroll.md against a daemon of its own, and
// writes the file with what they print. tests/e2e/cli/payroll.e2e.test.ts compares.

ensureTestServices(['libreoffice-calc-nogui']);
await writeFile('docs/payroll.md', await runPayrollStory());
