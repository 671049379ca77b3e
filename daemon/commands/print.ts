import type { Fault } from '../fault.ts';

/** A line for the operator, on stderr. */
export function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** Says what is wrong and what to do, and gives the exit code. */
export function printFault({ fault, hint }: Fault): number {
  say(`walletd: ${fault}`);
  say(`hint: ${hint}`);
  return 1;
}
