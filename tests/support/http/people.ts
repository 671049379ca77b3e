import { createUserOnHost } from '../../../daemon/auth/index.ts';
import type { Role } from '../../../core/roles.ts';
import { send, type GatewayWorld } from './gateway.ts';

export const password = 'correct horse battery';

export type Person = { readonly id: string; readonly email: string; readonly token: string };

export type Tokens = {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly sessionId: string;
};

/** People with accounts, who sign in over HTTP. */
export function createPeople(world: () => GatewayWorld) {
  let count = 0;
  const newEmail = (): string => `person${(count += 1)}@example.com`;
  const signIn = async (email: string): Promise<Tokens> => {
    const answer = await send(world().url, 'POST', '/v1/sign-in', { body: { email, password } });
    if (answer.status !== 200) throw new Error(answer.text);
    return answer.body['tokens'] as Tokens;
  };
  /** Made on the host, then signed in. */
  const create = async (role: Role): Promise<Person> => {
    const email = newEmail();
    const { db } = world().services.databases.auth;
    const created = await createUserOnHost(db, { email, password, role });
    if (!created.ok) throw new Error(created.rejection.message);
    return { id: created.value.id, email, token: (await signIn(email)).accessToken };
  };
  return { newEmail, signIn, create };
}
