import { quoteForShell } from '../../../core/shell-word.ts';
import type { CodeMaker } from '../mails/codes.ts';
import { keepCode } from '../mails/codes.ts';
import type { ComposeMail, MailContent } from '../mails/queue.ts';
import { findUserByEmail } from '../users/store.ts';

/** The mail to an address after a sign-up with it: a code, or that it has an account. */
export function composeSignUpMail(makeCode: CodeMaker): ComposeMail {
  return async (tx, { id, recipient }) => {
    // Looked up here, where no caller waits: a sign-up takes the same for every address.
    if (await findUserByEmail(tx, recipient)) return writeTaken(recipient);
    const text = makeCode(id);
    await keepCode(tx, { text, mailId: id, purpose: 'sign-up', subject: recipient });
    return writeCode(text, recipient);
  };
}

function writeTaken(email: string): MailContent {
  return {
    subject: 'You have an account already',
    text: [
      'Someone tried to open an account with this address. It has one already, and nothing',
      'was changed.',
      '',
      'If it was you: sign in with `wallet sign-in`. If you have forgotten your password:',
      '',
      `    wallet reset-password --email ${quoteForShell(email)}`,
      '',
      'If it was not you, there is nothing to do.',
      '',
    ].join('\n'),
  };
}

function writeCode(code: string, email: string): MailContent {
  return {
    subject: 'Your code for the digital wallet',
    text: [
      'Someone is opening an account with this address. If it is you, confirm it with this code:',
      '',
      `    wallet verify-email ${code} --email ${quoteForShell(email)}`,
      '',
      'The code is good for 24 hours. On another machine than the one where you signed up, the',
      'password that you chose is asked for as well.',
      '',
      'If it was not you, there is nothing to do: without the code no account is opened. Do not',
      'give the code to anyone.',
      '',
    ].join('\n'),
  };
}
