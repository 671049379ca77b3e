import { writeSync } from 'node:fs';

import type { Fault } from '../fault.ts';
import { maskConnectionString } from '../platform/log.ts';
import { writeStderr } from '../platform/stderr.ts';

/** A line for the operator, on stderr. */
export function printLine(line: string): void {
  writeStderr(`${maskConnectionString(line)}\n`);
}

/** Says what is wrong and what to do, and gives the exit code. */
export function printFault({ fault, hint }: Fault): number {
  printLine(`walletd: ${fault}`);
  printLine(`hint: ${hint}`);
  return 1;
}

/**
 * Writes to standard output, whole; where that fails (a full disk), says so and fails the command.
 */
export function writeStdout(text: string): void {
  const bytes = Buffer.from(text);
  try {
    for (let offset = 0; offset < bytes.length;) {
      offset += writeSync(1, bytes, offset, bytes.length - offset);
    }
  } catch (err) {
    // A reader that has read enough (`| head -1`) is no failure.
    if (err instanceof Error && 'code' in err && err.code === 'EPIPE') return;
    throw err;
  }
}
