import { describe, expect, it } from 'vitest';

import { buildProgram } from '../program.ts';
import { repeatGiven } from './reporter.ts';

const { commands } = buildProgram('0', () => Promise.resolve());
/** These ask no server. */
const local = ['help', 'completion'];
const lines = commands
  .filter((command) => !local.includes(command.name()))
  .flatMap((command) =>
    command.commands.length === 0
      ? [`wallet ${command.name()}`]
      : command.commands.map((one) => `wallet ${command.name()} ${one.name()}`),
  );

describe('hints', () => {
  it.each(lines)('a hint that names %s repeats the --server that was given', (line) => {
    expect(repeatGiven(`run it: ${line} --all`, { server: 'x:1' })).toBe(
      `run it: ${line} --server x:1 --all`,
    );
  });

  it.each(['use a wallet of your own', 'the wallet balances agree', 'wallet service'])(
    'a hint that names no command is not changed: %s',
    (text) => {
      expect(repeatGiven(text, { server: 'x:1' })).toBe(text);
    },
  );
});
