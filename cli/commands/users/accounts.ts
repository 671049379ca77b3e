import { roles, type Role as RoleName } from '../../../core/roles.ts';
import {
  AuthServiceService,
  Role,
  type User,
} from '../../../protos/gen/digitalwallet/auth/v1/auth.ts';
import type { Context } from '../../context.ts';
import { exitCodes, fail, failUnknown, succeed, type Outcome } from '../../outcome.ts';
import { readUserName } from './actor.ts';

/**
 * The account that staff name by id or e-mail address, verified or not. USER_NOT_FOUND where
 * there is none.
 */
export async function findAccount(
  { caller }: Pick<Context, 'caller'>,
  user: string,
): Promise<Outcome<User>> {
  const named = readUserName(user);
  if (!named.ok) return named;
  const { id: userId, email } = named.value;
  if (userId !== undefined) {
    const got = await caller.call(AuthServiceService.getUser, { userId }, 'read');
    if (!got.ok) return got;
    return got.value.user
      ? succeed(got.value.user)
      : fail('UNEXPECTED', 'the server answered without a user');
  }
  const request = { pageSize: 1, pageToken: '', role: Role.UNSPECIFIED, email };
  const listed = await caller.call(AuthServiceService.listUsers, request, 'read');
  if (!listed.ok) return listed;
  const [found] = listed.value.users;
  return found ? succeed(found) : failNoAccount(email);
}

/** A role's name as it was typed. */
export function checkRole(text: string): Outcome<RoleName> {
  const role = roles.find((name) => name === text);
  return role ? succeed(role) : failUnknown('role', text, roles);
}

function failNoAccount(email: string): Outcome<never> {
  return {
    ok: false,
    failure: {
      reason: 'USER_NOT_FOUND',
      message: `no account has the e-mail address ${email}`,
      exitCode: exitCodes.notFound,
      field: 'user',
      hint: 'wallet users list',
    },
  };
}
