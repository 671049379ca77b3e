import { expect, it } from 'vitest';

import { succeed } from '../../outcome.ts';
import { resolveId } from './id-prefix.ts';

const search = (ids: readonly string[]) => ({
  ...{ field: 'transaction_id', noun: 'transaction', list: 'wallet transactions list' },
  notFound: 'TRANSACTION_NOT_FOUND' as const,
  find: () => Promise.resolve(succeed(ids.map((id) => ({ id, description: '' })))),
});
const id = 'b4013d1d-f8a6-54ce-835e-4d4f030245d6';

it('what a server answers is taken only if it begins with what was asked for', async () => {
  expect(await resolveId('deadbeef', search([id]))).toMatchObject({
    ok: false,
    failure: { reason: 'TRANSACTION_NOT_FOUND', exitCode: 5 },
  });
  expect(await resolveId(' B4013D1D ', search([id]))).toEqual({ ok: true, value: id });
});
