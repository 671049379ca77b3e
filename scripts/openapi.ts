import { readFile, writeFile } from 'node:fs/promises';

import { createConfig, lintFromString } from '@redocly/openapi-core';
import { format, resolveConfig } from 'prettier';

import { listRoutes } from '../daemon/gateway/index.ts';
import { createOpenApi } from '../daemon/gateway/openapi/document.ts';

// `npm run openapi` writes docs/openapi.json from the routes of the gateway. With --check it only
// says whether the committed file is what they give. In both cases the document is linted.

const file = 'docs/openapi.json';
const text = await format(JSON.stringify(createOpenApi(listRoutes('BRL'))), {
  ...(await resolveConfig(file)),
  parser: 'json',
});

if (process.argv.includes('--check')) {
  if ((await readFile(file, 'utf8').catch(() => '')) !== text) {
    console.error(`${file} is not what the routes give: run "npm run openapi" and commit it`);
    process.exitCode = 1;
  }
} else {
  await writeFile(file, text);
}

const config = await createConfig({
  extends: ['recommended-strict'],
  rules: {
    // OpenAPI prefers the concrete of two paths, and so does the router.
    'no-ambiguous-paths': 'off',
  },
});
const found = await lintFromString({ source: text, absoluteRef: file, config });
for (const { severity, ruleId, message, location } of found) {
  const pointer = location[0]?.pointer ?? '';
  console.error(`${severity} ${ruleId}: ${message} at ${pointer}`);
}
if (found.length > 0) process.exitCode = 1;
