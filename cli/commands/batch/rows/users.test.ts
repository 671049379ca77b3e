import { expect, test } from 'vitest';

import type {
  ResolveRecipientRequest,
  ResolveUsersRequest,
} from '../../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import { succeed } from '../../../outcome.ts';
import type { Context } from '../../../context.ts';
import type { CheckedRow } from './check.ts';
import { createBatchUsers } from './users.ts';

const rowsOf = (...users: readonly string[]) => users.map((user) => ({ user }) as CheckedRow);
const self = { id: 'me', email: 'me@example.com', role: 'operator' } as const;

test('users of earlier rows stay known while those of later ones are looked up', async () => {
  const pending: (() => void)[] = [];
  const call = async (_method: unknown, { emails }: ResolveUsersRequest) => {
    await new Promise<void>((resolve) => pending.push(resolve));
    return succeed({ users: emails.map((email) => ({ email, id: `id of ${email}` })) });
  };
  const users = createBatchUsers({ caller: { call } } as unknown as Context, self);
  const first = users.resolve(rowsOf('a@example.com', 'b@example.com'));
  // More than are remembered: the next call begins anew.
  const ids = Array.from({ length: 100_001 }, (_, n) => {
    return `00000000-0000-4000-8000-${n.toString(16).padStart(12, '0')}`;
  });
  await users.resolve(rowsOf(...ids));
  const last = users.resolve(rowsOf('b@example.com'));
  while (pending.length < 2) await Promise.resolve();
  pending.forEach((resolve) => resolve());
  const [one, other] = [await first, await last];
  if (!one.ok || !other.ok) throw new Error('a look-up failed');
  expect(one.value.get('a@example.com')).toBe('id of a@example.com');
  expect(one.value.get('b@example.com')).toBe('id of b@example.com');
  expect(other.value.get('b@example.com')).toBe('id of b@example.com');
});

test('a customer has recipients looked up one after the other, each once, and no users', async () => {
  const asked: string[] = [];
  const call = (_method: unknown, { email }: ResolveRecipientRequest) => {
    asked.push(email);
    const failure = { reason: 'RECIPIENT_NOT_FOUND', message: 'none', exitCode: 5 } as const;
    const found = { userId: `id of ${email}`, maskedEmail: 'x' };
    return Promise.resolve(email.startsWith('no') ? { ok: false, failure } : succeed(found));
  };
  const customer = { ...self, role: 'customer' };
  const users = createBatchUsers({ caller: { call } } as unknown as Context, customer);
  const rows = [
    { user: 'other@example.com', to: 'a@example.com' },
    { user: undefined, to: 'no@example.com' },
    { user: undefined, to: 'a@example.com' },
  ] as CheckedRow[];
  const [one, other] = await Promise.all([users.resolve(rows), users.resolve(rows)]);
  if (!one.ok || !other.ok) throw new Error('a look-up failed');
  expect(asked).toEqual(['a@example.com', 'no@example.com']);
  expect([...one.value]).toEqual([...other.value]);
  expect(one.value.get('a@example.com')).toBe('id of a@example.com');
  expect(['no@example.com', 'other@example.com'].some((name) => one.value.has(name))).toBe(false);
});
