import type { Command } from 'commander';

import { addGroup, type CommandLine } from './command-line.ts';
import { addUsersCreate } from './users-create.ts';
import { addUsersResetPassword } from './users-reset-password.ts';
import { addUsersResetTotp } from './users-reset-totp.ts';

/** `walletd users create|reset-password|reset-totp`. */
export function addUsersCommands(program: Command, line: CommandLine): void {
  const users = addGroup(program, 'users', 'accounts, on this host', [
    'walletd users create --email ana@example.com --role admin',
    'walletd users reset-password --email ana@example.com',
    'walletd users reset-totp --email ana@example.com',
  ]);
  addUsersCreate(users, line);
  addUsersResetPassword(users, line);
  addUsersResetTotp(users, line);
}
