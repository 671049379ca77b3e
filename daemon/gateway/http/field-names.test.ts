import { expect, it } from 'vitest';

import { fault, toProblem } from './problems.ts';

const refusal = (message: string, field: string) => ({
  ...{ reason: 'INVALID_ARGUMENT' as const, message },
  metadata: { field },
});

it.each([
  ['user_id must be a UUID', 'user_id', 'user must be a UUID', 'user'],
  [
    ...['expires_in_seconds must be absent where expires_at is given', 'expires_in_seconds'],
    ...['expiresInSeconds must be absent where expiresAt is given', 'expiresInSeconds'],
  ],
  ['leave out include_holds', 'include_holds', 'leave out holds', 'holds'],
  ['key "user_id" is too long', 'metadata', 'key "user_id" is too long', 'metadata'],
  ['page_token is wrong', 'page_token', 'pageToken is wrong', 'pageToken'],
])('%s: problems name fields as HTTP does', (message, field, detail, named) => {
  expect(toProblem(refusal(message, field), 'r')).toMatchObject({ detail, field: named });
});

it('a route has names of its own', () => {
  const fieldNames = { parent_id: 'id' };
  const problem = toProblem(refusal('parent_id must be a UUID', 'parent_id'), 'r', { fieldNames });
  expect(problem).toMatchObject({ detail: 'id must be a UUID', field: 'id' });
});

it('what the gateway itself refuses is named as it was sent', () => {
  const own = fault('INVALID_ARGUMENT', 'keep_rest: is not known', { field: 'keep_rest' });
  expect(toProblem(own, 'r')).toMatchObject({
    detail: 'keep_rest: is not known',
    field: 'keep_rest',
  });
});
