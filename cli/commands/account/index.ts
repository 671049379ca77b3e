import type { Command } from 'commander';

import type { Start } from '../shared/start.ts';
import { addChangeEmail } from './change-email.ts';
import { addChangePassword } from './change-password.ts';
import { addResetPassword } from './reset-password.ts';
import { addSignIn } from './sign-in.ts';
import { addSignOut } from './sign-out.ts';
import { addSignUp } from './sign-up.ts';
import { addVerifyEmail } from './verify-email.ts';
import { addWhoami } from './whoami.ts';

/** The commands for one's own account, from `wallet sign-up` to `wallet change-email`. */
export function addAccountCommands(program: Command, start: Start): void {
  addSignUp(program, start);
  addVerifyEmail(program, start);
  addSignIn(program, start);
  addSignOut(program, start);
  addWhoami(program, start);
  addChangePassword(program, start);
  addResetPassword(program, start);
  addChangeEmail(program, start);
}
