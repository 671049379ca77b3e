import { quoteForShell } from '../../../core/shell-word.ts';
import type { CodeMaker } from '../mails/codes.ts';
import { keepCode } from '../mails/codes.ts';
import type { ComposeMail } from '../mails/queue.ts';
import { findUserByEmail } from '../users/store.ts';
import { findWaitingUser } from './store.ts';

/** A code for a new password, to an address that has an account; to others nothing is sent. */
export function composeResetMail(makeCode: CodeMaker): ComposeMail {
  return async (tx, { id, recipient }) => {
    const user = await findUserByEmail(tx, recipient);
    if (!user || user.isDisabled) return undefined;
    const code = makeCode(id);
    await keepCode(tx, { text: code, mailId: id, purpose: 'password-reset', subject: recipient });
    return {
      subject: 'Your code for a new password',
      text: [
        'Someone asked for a new password for the digital wallet of this address. To set one:',
        '',
        `    wallet reset-password --email ${quoteForShell(recipient)} --code ${code}`,
        '',
        'The code is good for 30 minutes, once. It ends all sign-ins and all API keys.',
        '',
        'If it was not you, there is nothing to do: the password stays as it is. Do not give the',
        'code to anyone.',
        '',
      ].join('\n'),
    };
  };
}

/** A code to the address that an account is to have; or that another account has it. */
export function composeChangeMail(makeCode: CodeMaker): ComposeMail {
  return async (tx, { id, recipient, details }) => {
    const changeId = details['changeId'] ?? '';
    const owner = await findWaitingUser(tx, changeId, recipient);
    if (owner === undefined) return undefined;
    const holder = await findUserByEmail(tx, recipient);
    if (holder && holder.id !== owner) {
      return {
        subject: 'You have an account already',
        text: [
          'Someone wanted to give this address to another account. It has one already, and nothing',
          'was changed. There is nothing to do.',
          '',
        ].join('\n'),
      };
    }
    const code = makeCode(id);
    await keepCode(tx, { text: code, mailId: id, purpose: 'email-change', subject: changeId });
    return {
      subject: 'Your code for a new e-mail address',
      text: [
        'Someone wants to use this address for a digital wallet. If it is you, confirm it:',
        '',
        `    wallet change-email --code ${code}`,
        '',
        'The code is good for 30 minutes, once. If it was not you, there is nothing to do. Do not',
        'give the code to anyone.',
        '',
      ].join('\n'),
    };
  };
}
