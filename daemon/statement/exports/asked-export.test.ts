import { randomUUID } from 'node:crypto';

import { expect, it } from 'vitest';

import { findTransientRejection } from '../../platform/transient-rejection.ts';
import { createAskedExport } from './asked-export.ts';
import type { CreateOptions } from './create.ts';

const asked = { userId: randomUUID(), fromMs: Date.UTC(2026, 0, 20), key: randomUUID() };
const user = {
  ...{ email: 'ana@example.com', role: 'customer' as const },
  ...{ isEmailVerified: true, isDisabled: false },
};

/** Nothing is asked of the database before it is known that the mail can be sent. */
const optionsWith = (findUser: CreateOptions['peers']['findUser'], canMail = true) =>
  ({ canMail, defaultCurrency: 'BRL', peers: { findUser } }) as unknown as CreateOptions;

const transientOf = (work: Promise<unknown>): Promise<string | undefined> =>
  work.then(
    () => undefined,
    (err: unknown) => findTransientRejection(err)?.reason,
  );

it.each([1, 2])(
  'a message about an export waits where the auth service fails at question %d',
  async (failing) => {
    let questions = 0;
    const options = optionsWith(() => {
      questions += 1;
      return questions === failing ? Promise.reject(new Error('no auth')) : Promise.resolve(user);
    });
    expect(await transientOf(createAskedExport(options, asked))).toBe('AUTH_UNAVAILABLE');
    expect(questions).toBe(failing);
  },
);

it('a message about an export of an unknown user, or without a mail server, is dead', async () => {
  const unknown = optionsWith(() => Promise.resolve(undefined));
  expect(await createAskedExport(unknown, asked)).toEqual({
    ...{ kind: 'dead', reason: 'USER_NOT_FOUND', field: 'data.userId' },
  });
  const withoutMail = optionsWith(() => Promise.resolve(user), false);
  expect(await createAskedExport(withoutMail, asked)).toEqual({
    ...{ kind: 'dead', reason: 'MAIL_NOT_CONFIGURED', field: 'body' },
  });
});
