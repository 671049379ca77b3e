import { expect, it } from 'vitest';

import { toCommand, type TransactionRequest } from './request.ts';

const request: TransactionRequest = {
  ...{ userId: '0b6f3f0e-6f0c-4f0e-9a51-5b1b5c1f7a10', currency: 'BRL', operation: 'purchase' },
  ...{ amountMinor: 100n, parentId: undefined, metadata: {}, callerClass: 'customer', actor: 'a' },
  ...{ merchant: 'Caf\u00e9', description: 'a\nb', idempotencyKey: 'sal\u00e1rio 1' },
};

it('texts of a transaction that differ in their form only make the same command', () => {
  const written = {
    ...request,
    ...{
      merchant: ' Cafe\u0301\u00a0',
      description: 'a\r\nb\n',
      idempotencyKey: 'sala\u0301rio 1 ',
    },
  };
  expect(toCommand(written)).toEqual(toCommand(request));
});

it('how long a hold may last is not decided before it is known whether it was placed', () => {
  const hold = { ...request, operation: 'hold', merchant: undefined } as const;
  const asked = { ...hold, expiresInSeconds: 2n * 86_400n };
  const command = toCommand(asked, undefined, { standard: 1, longest: 1 });
  const more = { expiresInMs: 172_800_000, longestMs: 86_400_000 };
  expect(command).toMatchObject({ ok: true, value: { more } });
});

it.each(['idempotencyKey', 'merchant'] as const)('a blank %s is refused', (name) => {
  expect(toCommand({ ...request, [name]: ' \u00a0' })).toMatchObject({
    ok: false,
    rejection: { reason: 'INVALID_ARGUMENT' },
  });
});
