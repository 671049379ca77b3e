import { z } from 'zod';

import { AuthServiceService as auth } from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { uuid } from '../http/fields.ts';
import { answer, defineRoute, type Route } from '../http/route.ts';

const recipientShape = z
  .object({
    userId: uuid,
    maskedEmail: z.string().meta({ description: 'Its first character and its domain' }),
  })
  .meta({ id: 'Recipient' });

const example = {
  userId: '0b7c1f52-6a0e-4a59-9d5c-2f6f1f0c9a11',
  maskedEmail: 'a***@example.com',
};

/** `/v1/recipients`: a POST, since addresses do not belong into the logs of proxies. */
export const recipientRoutes: readonly Route[] = [
  defineRoute({
    method: 'POST',
    path: '/v1/recipients',
    tag: 'users',
    summary: 'Find who can be paid at an e-mail address',
    description:
      'For a transfer. A user can ask for 20 unknown and 200 known addresses an hour. An address ' +
      'that has no account, is not verified, or has a disabled account: `RECIPIENT_NOT_FOUND`.',
    credential: 'required',
    body: z.strictObject({ email: z.string().max(1_024) }),
    bodyExample: { email: 'ana@example.com' },
    answers: { 200: { description: 'The recipient', schema: recipientShape, example } },
    problems: ['EMAIL_INVALID', 'RECIPIENT_NOT_FOUND', 'THROTTLED'],
    run: async ({ body, call }) => {
      const found = await call('auth', auth.resolveRecipient, { email: body.email });
      return found.ok ? answer(200, found.value) : found;
    },
  }),
];
