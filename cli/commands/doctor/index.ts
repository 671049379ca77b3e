import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { runDoctor } from './doctor.ts';

/** Adds `wallet doctor`. */
export function addDoctorCommand(program: Command, start: Start): void {
  program
    .command('doctor')
    .description('check settings, connection, server and sign-in, and name the command that fixes')
    .addHelpText(
      'after',
      `
Each line is ok, warning, problem, or skipped (what could not be checked). The exit code is 1 if
there is a problem, and otherwise 0. Nothing is changed: a throw-away entry is written to the
keychain, and removed again.

Examples:
  wallet doctor
  wallet doctor --server wallet.example.com:443 --tls
  wallet doctor --json`,
    )
    .action(async (_options: unknown, command: Command) => {
      await start(command, runDoctor, { isLenient: true });
    });
}
