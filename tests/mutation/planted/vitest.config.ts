import { defineConfig, type Plugin } from 'vitest/config';

import { defects } from './defects.ts';

const defect = defects[process.env['PLANTED_DEFECT'] ?? ''];
if (!defect) throw new Error('PLANTED_DEFECT names no defect');
const { file, find, replace, tests } = defect;

/** Plants the defect in what is loaded; the file on the disk stays as it is. */
const plant: Plugin = {
  name: 'plant',
  enforce: 'pre',
  transform: (code, id) => {
    if (!id.endsWith(`/${file}`)) return undefined;
    const parts = code.split(find);
    if (parts.length !== 2) throw new Error(`${file} has the text ${parts.length - 1} times`);
    return { code: parts.join(replace), map: null };
  },
};

const needsServices = tests.some((one) => !one.startsWith('cli/') && one.includes('.int.'));

export default defineConfig({
  plugins: [plant],
  test: {
    pool: 'forks',
    maxWorkers: 1,
    include: [...tests],
    globalSetup: needsServices
      ? ['tests/support/postgres/setup.ts', 'tests/support/broker/setup.ts']
      : [],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    bail: 1,
  },
});
