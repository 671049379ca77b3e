import { writeSync } from 'node:fs';

import packageJson from '../../package.json' with { type: 'json' };

export const { version } = packageJson;

/** False if it could not be written. */
export function printVersion(): boolean {
  try {
    writeSync(1, `wallet ${version}\n`);
    return true;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== 'EPIPE') process.stderr.write(`error: ${message} (OUTPUT_FAILED)\n`);
    return code === 'EPIPE';
  }
}
